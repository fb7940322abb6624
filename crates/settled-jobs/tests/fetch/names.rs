//! Host names: looked up once, and told apart if they can't be.

use settled_jobs::ErrorKind;
use settled_testserver::{Answer, Server};

use crate::rig::{Rig, failed, good};

#[tokio::test]
async fn a_name_is_found() {
    let server = Server::start(|_| Answer::ok("hello"))
        .await
        .expect("a server");
    let url = server.url("/").replace("127.0.0.1", "localhost");
    assert_eq!(good(&Rig::new().get(&url).await).bytes, 5);
}

/// Whether the resolver knows that a name does not exist, or can't reach anybody who does, depends on the machine. Both are `dns`.
#[tokio::test]
async fn a_name_that_does_not_exist_is_told() {
    let tried = Rig::new().get("http://no-such-host.invalid/").await;
    let failure = failed(&tried, ErrorKind::Dns);
    let expected = if failure.retry {
        "could not be looked up"
    } else {
        "no address for host"
    };
    assert!(
        failure.message.contains(expected) && failure.message.contains("\"no-such-host.invalid\""),
        "{failure:?}"
    );
}
