"""Safeguards: halt, approval, mandates, PIN, the go-live checklist and the audit."""
