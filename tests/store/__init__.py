"""Tests of the journal and the account lock."""
