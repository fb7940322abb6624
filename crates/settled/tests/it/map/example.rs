//! The example `fetch_limited`, which has a server of its own.

#[expect(dead_code, reason = "`main` is for the command line")]
#[path = "../../../examples/fetch_limited.rs"]
mod fetch_limited;

/// All users in their order, one that is not there among them, and never more than four at once.
#[tokio::test]
async fn it_fetches_users_in_their_order() {
    let (lines, most) = fetch_limited::run().await.unwrap();
    let expected = (1..=20).map(|user| match user {
        13 => "user 13: HTTP/1.1 404 Not Found".to_owned(),
        user => format!("user {user}: Name {user}"),
    });
    assert_eq!(lines, expected.collect::<Vec<_>>());
    assert!((1..=4).contains(&most), "{most} at once");
}
