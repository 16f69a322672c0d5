"""What an estimate is worth: metrics, evaluation runs and their reports."""
