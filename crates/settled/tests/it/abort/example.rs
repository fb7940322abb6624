//! The example `abort_fetch`, against real loopback servers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[expect(dead_code, reason = "its `main` prints what the tests look at")]
#[path = "../../../examples/abort_fetch.rs"]
mod abort_fetch;

use abort_fetch::run;

fn arguments<const N: usize>(given: [&str; N]) -> std::vec::IntoIter<String> {
    given.map(String::from).to_vec().into_iter()
}

/// An accepted connection on which nothing comes: the fetch gives nothing, and has closed the connection.
#[tokio::test]
async fn an_aborted_fetch_gives_nothing_and_leaves_no_connection() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/slow?page=1", server.local_addr().unwrap());
    let fetch = async {
        run(arguments([&url, "0.1"]))
            .await
            .map_err(|error| error.to_string())
    };
    let serve = async {
        let (mut connection, _) = server.accept().await.unwrap();
        let mut request = Vec::new();
        connection.read_to_end(&mut request).await.unwrap();
        request
    };
    let (fetched, request) = tokio::join!(fetch, serve);
    assert_eq!(fetched, Ok(None));
    assert!(request.starts_with(b"GET /slow?page=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
}

#[tokio::test]
async fn every_other_error_is_as_it_is() {
    let refused = run(arguments(["http://127.0.0.1:1/"])).await.unwrap_err();
    assert!(refused.to_string().contains("refused"), "{refused}");
    let error = run(arguments(["ftp://127.0.0.1/"])).await.unwrap_err();
    assert!(error.to_string().contains("http://"), "{error}");
    let error = run(arguments(["http://127.0.0.1:1/", "soon"]))
        .await
        .unwrap_err();
    assert!(error.is::<std::num::ParseFloatError>(), "{error}");
}

#[tokio::test]
async fn an_answer_in_time_is_the_answer() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let serve = async {
        let (mut connection, _) = server.accept().await.unwrap();
        let mut request = [0; 1024];
        assert!(connection.read(&mut request).await.unwrap() > 0);
        connection
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .await
            .unwrap();
    };
    let (fetched, ()) = tokio::join!(run(arguments([&url])), serve);
    assert_eq!(fetched.unwrap().unwrap(), "HTTP/1.1 204 No Content\r\n\r\n");
}
