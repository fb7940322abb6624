//! The example `scope_shutdown`.

#[expect(dead_code, reason = "its `main` has the process to itself")]
#[path = "../../../examples/scope_shutdown.rs"]
mod scope_shutdown;

#[tokio::test(start_paused = true)]
async fn a_server_that_is_shut_down_answers_what_it_has_begun() {
    let answered = scope_shutdown::run().await;
    assert!(
        answered.is_some_and(|answered| answered > 1),
        "{answered:?}"
    );
}
