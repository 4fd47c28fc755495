"""A restart ends nothing, moves no beginning, and what ended meanwhile ends."""

from __future__ import annotations

from analytics.facts import Facts, recall
from gpuledger.catalogue.work import Allocation, Job, NodeState
from gpuledger.schema import FOREVER, Row
from gpuledger.store import Store
from tests.analytics.facts.pages import Node, card, held, page
from tests.analytics.facts.test_facts import RUNNING, at, only, say
from tests.analytics.facts.world import CLUSTER, Book
from tests.analytics.world import job, write


def open_rows(book: Book) -> list[Row]:
    """What a store would give back, without a store."""
    return [*book.of(Job), *book.of(Allocation), *book.of(NodeState)]


def restarted(book: Book, rows: list[Row] | None = None) -> Book:
    """The same book, continued by a new process that knows those rows."""
    facts = Facts(CLUSTER)
    facts.recall(rows or [])
    return Book(facts, book.rows)


def test_a_restart_that_recalls_nothing_ends_nothing() -> None:
    book = Book()
    told = page(RUNNING.page(), Node().page(), held(3, RUNNING))
    say(book, told, 0, 10)
    again = restarted(book)
    say(again, told, 15, 40)
    row = only(again.of(Allocation))
    assert (row.valid_from, row.valid_to) == (at(-1), FOREVER)
    assert [j.state for j in again.of(Job)] == ["running"]


def test_a_job_of_slurm_keeps_its_beginning_over_a_restart() -> None:
    book = Book()
    told = page(card(3, hpc_job="812"), card(4))
    say(book, told, 0, 10)
    again = restarted(book, open_rows(book))
    say(again, told, 15, 40)
    say(again, page(card(3), card(4)), 41, 60)
    row = only(again.of(Allocation))
    assert (row.valid_from, row.valid_to) == (at(0), at(40))


def test_what_ended_while_nobody_listened_ended_when_it_was_last_seen() -> None:
    book = Book()
    say(book, page(RUNNING.page(), Node().page(), held(3, RUNNING)), 0, 10)
    again = restarted(book, open_rows(book))
    say(again, page(Node().page(), card(3)), 20, 30)
    (ended,) = again.of(Job)
    assert (ended.state, ended.cpu_milli, ended.gpus_per_node) == ("completed", 8000, 1)
    assert ended.ended == only(again.of(Allocation)).valid_to
    assert at(0) <= ended.ended <= at(10)


def test_a_node_keeps_the_beginning_of_its_state_over_a_restart() -> None:
    book = Book()
    say(book, Node(cordoned=True).page(), 0, 10)
    again = restarted(book, open_rows(book))
    say(again, Node(cordoned=True).page(), 20, 30)
    assert [(n.state, n.valid_from) for n in again.of(NodeState)] == [("drained", at(0))]


def test_a_pod_known_by_its_label_goes_on_over_a_restart() -> None:
    book = Book()
    say(book, page(held(3, RUNNING), card(4)), 0, 20)
    again = restarted(book, open_rows(book))
    say(again, page(held(3, RUNNING), card(4)), 30, 50)
    row = only(again.of(Allocation))
    assert (row.valid_from, row.valid_to) == (at(0), FOREVER)
    assert [(j.state, j.started) for j in again.of(Job)] == [("running", at(0))]


def test_the_store_gives_back_what_is_open_by_the_word_of_exporters(store: Store) -> None:
    book = Book()
    say(book, page(RUNNING.page(), Node().page(), held(3, RUNNING)), 0, 10)
    write(store, book.rows)
    write(store, [job("77", version=8 << 48)])
    rows = recall(store, CLUSTER)
    assert {type(r) for r in rows} == {Job, Allocation, NodeState}
    assert sorted(map(repr, map(vars, rows))) == sorted(map(repr, map(vars, open_rows(book))))
    assert recall(store, "elsewhere") == []
