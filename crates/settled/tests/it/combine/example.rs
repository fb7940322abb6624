//! The example `dashboard`, with its services on loopback.

#[expect(dead_code, reason = "its `main` prints what the test looks at")]
#[path = "../../../examples/dashboard.rs"]
mod dashboard;

#[tokio::test]
async fn a_page_has_what_it_needs_and_does_without_the_rest() {
    let page = dashboard::page().await.unwrap();
    let lines: Vec<_> = page.lines().collect();
    assert_eq!(
        lines,
        [
            "this is /user/7",
            "this is /user/7/orders",
            "this is /logo",
            "news: this is /news",
            "weather: this is /weather",
            "missing: not today (HTTP/1.1 404 Not Found)",
        ]
    );
}
