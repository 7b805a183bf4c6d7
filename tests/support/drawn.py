"""What several random tests draw from."""

from hypothesis import strategies as st

ANY = st.characters(exclude_categories=["Cs"])
"""Every character that UTF-8 can write. Named by category: a codec is tried on all of them, for a second."""
