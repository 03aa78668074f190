"""One job: submit it once, track it, reconcile lost answers."""
