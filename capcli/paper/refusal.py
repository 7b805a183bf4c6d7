"""The one way a handler says no: a 4xx with the broker's error code."""


class Refusal(Exception):
    """`tokens`: whether the answer carries the session's tokens; two published ones do not (API page 2.2).

    `bare`: what stands in place of its code (API pages 4.1, 18.14): a framework's JSON, nothing or a text.
    """

    def __init__(self, status: int, code: str, *, tokens: bool = True, bare: str | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.tokens = tokens
        self.bare = bare
