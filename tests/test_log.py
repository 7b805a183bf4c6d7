"""What comes out of the root logger, whoever logs."""

import io
import logging

import pytest

from capcli.log import Redaction, listen, louder

KEY, USER, PASSWORD = "kEy-0123456789", "jane.doe@example.com", 'Secr3t "ü" \\!'
CST, TOKEN = "c5t0c5t0c5t0", "x3cur1tyt0k3n"
ENVIRON = {"CAP_API_KEY": KEY, "CAP_IDENTIFIER": USER, "CAP_API_PASSWORD": PASSWORD}


def logged(name: str, message: str, *arguments: object, level: str = "DEBUG", **options: object) -> str:
    stream = io.StringIO()
    stop = listen(stream, level, Redaction(ENVIRON))
    try:
        logging.getLogger(name).error(message, *arguments, **options)  # type: ignore[arg-type]
    finally:
        stop()
    return stream.getvalue()


@pytest.mark.parametrize("name", ["capcli", "httpx", "httpcore.http11", "keyring.backend", ""])
@pytest.mark.parametrize("secret", [KEY, USER, PASSWORD, repr(PASSWORD), repr(PASSWORD.encode())])
def test_what_the_environment_holds_is_masked_in_every_spelling(name, secret):
    told = logged(name, "it was %s, and went on", secret)
    assert "***" in told
    assert "Secr3t" not in told
    assert "and went on" in told


@pytest.mark.parametrize("length", range(4, 20))
@pytest.mark.parametrize("name", ENVIRON)
def test_a_secret_of_any_length_from_four_is_masked(name, length):
    secret = "aB3$xY7-qW9_zK5!mN2"[:length]
    redaction = Redaction({name: secret})
    assert redaction.clean(f"it was {secret}, and went on") == "it was ***, and went on"
    told = Redaction({})
    told.learn(secret)
    assert told.clean(f"it was {secret}, and went on") == "it was ***, and went on"


@pytest.mark.parametrize(
    "line",
    [
        f"return_value=(b'HTTP/1.1', 200, b'OK', [(b'CST', b'{CST}'), (b'X-SECURITY-TOKEN', b'{CST}')])",
        f'{{"cst":"{CST}","x-security-token": "{CST}"}}',
        f"CST: {CST}\r\nX-SECURITY-TOKEN: {CST}\r\n",
        f"X-CAP-API-KEY={CST}",
        f'{{"identifier": "{CST}", "password": "{CST} \\" {CST}", "api_key": "{CST}"}}',
        f"{{'identifier': '{CST}', 'api_password': '{CST}'}}",
        f"CAP_API_PASSWORD={CST} with blanks {CST}",
        f"Set-Cookie: id={CST}; path=/; b={CST}",
        f"(b'Authorization', b'Basic {CST}')",
        f"https://user:{CST}@proxy.example:3128/",
        f"{CST}@example.com",
    ],
)
def test_what_stands_where_secrets_stand_is_masked_unseen(line):
    assert CST not in logged("httpcore.http11", "%s", line)


def test_tokens_are_masked_as_soon_as_they_are_known():
    redaction = Redaction({})
    assert redaction.clean(f"Illegal header value b'{TOKEN}'") == f"Illegal header value b'{TOKEN}'"
    redaction.learn(TOKEN)
    assert redaction.clean(f"Illegal header value b'{TOKEN}'") == "Illegal header value b'***'"
    assert TOKEN not in repr(redaction)


def test_a_traceback_is_masked_too():
    told = logged("capcli", "it broke", exc_info=ValueError(f"bad header {KEY}"))
    assert "ValueError: bad header ***" in told


def test_harmless_text_stays_as_it_is():
    text = "The API password is the key's own, not the login password. GET /positions (identifier kept)."
    assert Redaction(ENVIRON).clean(text) == text


@pytest.mark.parametrize(
    ("level", "verbose", "wanted"),
    [
        *(("WARNING", 0, "WARNING"), ("ERROR", 0, "ERROR"), ("WARNING", 1, "INFO"), ("ERROR", 2, "DEBUG")),
        *(("DEBUG", 0, "DEBUG"), ("DEBUG", 1, "DEBUG"), ("INFO", 3, "DEBUG")),
    ],
)
def test_option_and_setting_the_louder_one_counts(level, verbose, wanted):
    assert louder(level, verbose) == wanted


def test_requests_are_told_at_debug_and_the_loggers_are_left_as_they_were():
    root, httpx = logging.getLogger(), logging.getLogger("httpx")
    before = (root.handlers[:], root.level, httpx.level)
    for level, told in (("INFO", ""), ("DEBUG", "INFO httpx: GET\n")):
        stream = io.StringIO()
        stop = listen(stream, level, Redaction({}))
        httpx.info("GET")
        stop()
        assert stream.getvalue() == told
    assert (root.handlers[:], root.level, httpx.level) == before


def test_the_longest_of_two_secrets_goes_first_so_that_no_end_of_it_is_left():
    redaction = Redaction({})
    redaction.learn("abcdef", "abcdef-and-more")
    assert redaction.clean("it was abcdef-and-more") == "it was ***"


def test_a_secret_in_bytes_is_masked_as_bytes_are_shown():
    redaction = Redaction({})
    redaction.learn("p\u00e4ss")
    assert redaction.clean(repr("p\u00e4ss".encode())) == "b'***'"


def test_a_library_that_writes_to_stderr_itself_goes_through_the_root():
    own = logging.getLogger("fastmcp")
    before = own.handlers[:], own.propagate, own.level
    stream = io.StringIO()
    own.handlers[:], own.propagate = [logging.StreamHandler(io.StringIO())], False
    stop = listen(stream, "WARNING", Redaction(ENVIRON))
    try:
        own.warning("key %s", KEY)
    finally:
        stop()
        own.handlers[:], own.propagate, own.level = before
    assert stream.getvalue() == "WARNING fastmcp: key ***\n"


@pytest.mark.parametrize("address", ["http://user:pa55@localhost:3128/", "socks5h://pa55@[::1]:1080"])
def test_a_password_before_a_host_without_a_dot_is_masked(address):
    assert "pa55" not in Redaction({}).clean(f"no way through {address}")


def test_what_is_too_short_to_be_a_secret_does_not_blacken_text():
    redaction = Redaction({"CAP_API_KEY": "abc", "CAP_API_PASSWORD": "abcd"})
    assert redaction.clean("abc and abcd") == "abc and ***"


def test_a_secret_in_an_address_is_masked_as_it_is_written_there():
    assert Redaction({"CAP_API_PASSWORD": "a b/c?"}).clean("GET /x?p=a%20b%2Fc%3F&y=1") == "GET /x?p=***&y=1"


def test_other_libraries_are_heard_from_warnings_on_however_loud_the_root_was():
    root = logging.getLogger()
    before, stream = root.level, io.StringIO()
    root.setLevel(logging.DEBUG)
    stop = listen(stream, "INFO", Redaction({}))
    try:
        logging.getLogger("some.library").info("chatter")
        logging.getLogger("some.library").warning("trouble")
    finally:
        stop()
        left = root.level
        root.setLevel(before)
    assert stream.getvalue() == "WARNING some.library: trouble\n"
    assert left == logging.DEBUG
