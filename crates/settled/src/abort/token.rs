//! From and to the tokens of tokio-util.

use tokio_util::sync::CancellationToken;

use super::AbortSignal;
use super::node::Node;

/// A signal that fires when somebody cancels the token, with a reason of kind [`ReasonKind::Aborted`](crate::ReasonKind::Aborted).
/// Nothing that is done to the signal cancels the token.
///
/// ```
/// use settled::AbortSignal;
/// use tokio_util::sync::CancellationToken;
///
/// let token = CancellationToken::new();
/// let signal = AbortSignal::from(token.clone());
/// assert!(!signal.is_aborted());
/// token.cancel();
/// assert!(signal.is_aborted());
/// ```
impl From<CancellationToken> for AbortSignal {
    fn from(token: CancellationToken) -> Self {
        Self::of(Node::of_token(&token))
    }
}

impl AbortSignal {
    /// A token that is cancelled when this fires, for code that knows tokio-util's tokens. Cancelling it does nothing to this.
    ///
    /// For a signal that is made of several, or that has a [`timeout`](Self::timeout) in it, it starts a task, which ends when the signal
    /// fires or the token is cancelled; for all others it needs none. A token can't tell when nobody holds it any more: cancel one that is no
    /// longer needed, or the task waits for as long as its runtime lives.
    ///
    /// ```
    /// let controller = settled::AbortController::new();
    /// let token = controller.signal().to_token();
    /// assert!(!token.is_cancelled());
    /// controller.abort("enough");
    /// assert!(token.is_cancelled());
    /// ```
    ///
    /// # Panics
    /// Where it needs a task, and there is no tokio runtime (with timers, where there is a time).
    #[must_use]
    pub fn to_token(&self) -> CancellationToken {
        let Some(node) = &self.node else {
            return CancellationToken::new();
        };
        if node.earliest().is_none() && node.other_tokens().next().is_none() {
            return node.token.child_token();
        }
        let token = CancellationToken::new();
        if self.is_aborted() {
            token.cancel();
        } else {
            let (ours, aborted) = (token.clone(), self.aborted());
            tokio::spawn(async move {
                if ours.run_until_cancelled(aborted).await.is_some() {
                    ours.cancel();
                }
            });
        }
        token
    }
}
