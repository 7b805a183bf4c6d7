"""The one way a handler says no: a 4xx with the broker's error code."""


class Refusal(Exception):
    """`tokens`: whether the answer carries the session's tokens; two published ones do not (API page 2.2).

    `bare`: whether it is without its code (API page 4.1).
    """

    def __init__(self, status: int, code: str, *, tokens: bool = True, bare: bool = False) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.tokens = tokens
        self.bare = bare
