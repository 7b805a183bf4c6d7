"""When an answer counts: to what stands on the screen, and not before it could be read."""

from collections.abc import Callable
from threading import Thread

import pytest

from capcli.desk.conversation import Conversation, Kind, Page
from tests.support.clock import Time


class Talk:
    """A conversation whose command asks in a thread, and whose page is on the screen."""

    def __init__(self, **options: object) -> None:
        self.time = Time()
        self.of = Conversation(lambda: None, **options)
        self.answers: list[str | None] = []
        self._thread: Thread | None = None

    def asked(self, kind: Kind, text: str = "Send it?") -> Page:
        self._thread = Thread(target=self._ask, args=(kind, text), daemon=True)
        self._thread.start()
        while (page := self.of.page).question is None:
            pass
        self.of.painted(page.digest, self.time.monotonic())
        return page

    def _ask(self, kind: Kind, text: str) -> None:
        try:
            self.answers.append(self.of.ask(kind, text))
        except EOFError:
            self.answers.append(None)

    def press(self, key: str, page: Page, after: float) -> bool:
        self.time.tick(after)
        return self.of.press(key, page.digest, self.time.monotonic())

    def answer(self) -> str | None:
        assert self._thread is not None
        self._thread.join(10)
        return self.answers[-1]

    def is_open(self) -> bool:
        return not self.answers


def test_y_counts_once_the_page_has_stood_for_two_seconds() -> None:
    talk = Talk()
    page = talk.asked(Kind.YES)
    assert not talk.press("y", page, 1.9)
    assert talk.is_open()
    assert talk.press("y", page, 0.2)
    assert talk.answer() == "y"
    assert talk.of.page.sending


def test_n_says_no_and_nothing_is_on_its_way() -> None:
    talk = Talk()
    assert talk.press("n", talk.asked(Kind.YES), 2.1)
    assert talk.answer() == "n"
    assert not talk.of.page.sending


def test_a_key_that_means_nothing_starts_the_two_seconds_anew() -> None:
    talk = Talk()
    page = talk.asked(Kind.YES)
    assert not talk.press("j", page, 2.1)
    assert not talk.press("y", page, 1.9)
    assert talk.press("y", page, 0.2)
    talk.answer()


def test_a_yes_to_another_text_than_the_one_on_the_screen_is_none() -> None:
    talk = Talk()
    page = talk.asked(Kind.YES)
    talk.of.say("The price moved.\n")
    assert not talk.press("y", page, 3)
    assert talk.is_open()
    talk.of.leave()
    assert talk.answer() is None


def test_a_page_that_was_never_painted_takes_no_yes() -> None:
    talk = Talk()
    talk.asked(Kind.YES)
    talk.of.say("More.\n")
    assert not talk.press("y", talk.of.page, 3)
    talk.of.leave()
    talk.answer()


def test_a_word_is_typed_whole() -> None:
    talk = Talk(word="FLATTEN")
    page = talk.asked(Kind.YES)
    assert page.question is not None
    assert page.question.kind is Kind.WORD
    talk.time.tick(3)
    enter: Callable[[str], bool] = lambda text: talk.of.enter(text, page.digest, talk.time.monotonic())  # noqa: E731
    assert not talk.press("y", page, 0)
    assert not enter("flatten")
    assert not enter("FLATTEN it")
    assert enter(" FLATTEN ")
    assert talk.answer() == "y"


def test_who_leaves_has_said_no() -> None:
    talk = Talk()
    talk.asked(Kind.HIDDEN, "PIN of live (hidden): ")
    assert talk.of.leave()
    assert talk.answer() is None


def test_a_hidden_answer_stands_on_no_page() -> None:
    talk = Talk()
    page = talk.asked(Kind.HIDDEN, "PIN of live (hidden): ")
    assert talk.of.enter("24680x", page.digest, talk.time.monotonic() + 3)
    assert talk.answer() == "24680x"
    assert "24680x" not in repr(talk.of.page)


def test_nobody_leaves_what_is_on_its_way() -> None:
    talk = Talk(asks=False)
    assert not talk.of.leave()
    talk.of.end(0)
    assert talk.of.leave()


@pytest.mark.parametrize("typed", ["y", "yy"])
def test_keys_that_come_together_are_read_together(typed: str) -> None:
    talk = Talk()
    with talk.of.keys() as keys:
        for key in typed:
            assert talk.of.press(key, talk.of.page.digest, talk.time.monotonic())
        assert keys.read(1) == typed
        assert keys.read(0) is None
        talk.of.leave()
        with pytest.raises(EOFError):
            keys.read(1)
