"""Objections and wishes: written down by anybody, answered, never erased, shown at decisions."""

from __future__ import annotations

import pytest

from service.access.caller import Role
from service.errors import Conflict, Invalid, NotFound
from service.store.tables.watch import WordBy, WordKind
from service.workflow import words
from service.workflow.placing import answers
from service.workflow.placing.decision_records import records_of
from service.workflow.watch import due_list
from service.workflow.words import OBJECTIONS, About, Answer, NewObjection, NewWish
from solver.codes import LegalBasis, UnitKind


def _objects(world, person, **more):
    return world.do(
        words.record_objection, person, NewObjection(words="I was never told of this.", **more)
    )


def _clocks(world, word):
    return world.sql(
        "SELECT kind, outcome FROM due_item WHERE subject_id = :id ORDER BY kind", id=word
    )


def test_an_objection_stands_beside_the_decision_it_is_about_and_after_a_new_one(world):
    one, two = world.unit(rooms=(1, 1))
    person = world.person()
    made = world.submit(person)
    world.decide(made.id, one)
    said = _objects(world, person, about=About(type="placement_request", id=made.id))
    world.do(
        words.record_wish, person, NewWish(words="Nearer my mother.", units=frozenset({"psc-1.w1"}))
    )
    shown = world.do(records_of, made.id).words
    assert [(it.kind, it.words) for it in shown] == [
        (WordKind.OBJECTION, "I was never told of this."),
        (WordKind.WISH, "Nearer my mother."),
    ]
    world.do(answers.release_hold, made.id, reason="another bed")
    world.decide(made.id, two)
    assert world.do(records_of, made.id).words[0].id == said.id


def test_the_words_are_encrypted_where_they_lie(world):
    said = _objects(world, world.person())
    stored = world.one("SELECT words FROM personal_word WHERE id = :id", id=said.id)
    assert b"never told" not in bytes(stored)


def test_an_objection_starts_the_clock_of_whoever_owes_an_answer(world):
    said = _objects(world, world.person(), by=WordBy.FAMILY)
    assert _clocks(world, said.id) == [("objection_answer", None)]
    world.do(words.answer_word, said.id, Answer(words="The decision was looked at again."))
    assert _clocks(world, said.id) == [("objection_answer", "answered")]


@pytest.mark.parametrize("kind", [WordKind.COMPLAINT, WordKind.REVIEW])
def test_no_answer_ends_the_duty_to_forward_a_complaint_only_its_forwarding_does(world, kind):
    said = _objects(world, world.person(), kind=kind)
    world.do(words.answer_word, said.id, Answer(words="We did nothing wrong."))
    assert _clocks(world, said.id) == [("complaint_forward", None)]
    clock = world.one("SELECT id FROM due_item WHERE kind = 'complaint_forward'")
    done = world.do(due_list.settle_by_hand, clock, document="letter 7 to the procuratorate")
    assert done.outcome == "done"
    assert _clocks(world, said.id) == [("complaint_forward", "done")]


def test_a_wish_starts_no_clock(world):
    said = world.do(words.record_wish, world.person(), NewWish(words="A quiet room."))
    assert _clocks(world, said.id) == []


def test_an_answer_is_given_once_and_the_words_stay_as_they_were(world):
    said = _objects(world, world.person())
    answered = world.do(words.answer_word, said.id, Answer(words="Heard."))
    assert (answered.words, answered.answer) == ("I was never told of this.", "Heard.")
    with world.refuses(Conflict, "answered-already"):
        world.do(words.answer_word, said.id, Answer(words="Heard again."))


def test_what_was_taken_back_stays_on_record_and_is_shown_beside_nothing(world):
    world.unit()
    person = world.person()
    made = world.submit(person)
    said = _objects(world, person)
    world.do(words.withdraw_word, said.id)
    assert world.do(records_of, made.id).words == ()
    [kept] = world.do(words.listed, person, OBJECTIONS)
    assert kept.withdrawn_at is not None
    assert _clocks(world, said.id) == [("objection_answer", "called_off")]
    with world.refuses(Conflict, "withdrawn-already"):
        world.do(words.withdraw_word, said.id)


def test_an_objection_is_about_a_thing_of_the_same_person(world):
    world.unit()
    theirs, somebody = world.submit(), world.person()
    with world.refuses(Invalid, "not-theirs"):
        _objects(world, somebody, about=About(type="placement_request", id=theirs.id))
    with world.refuses(Invalid, "unknown-subject"):
        _objects(world, somebody, about=About(type="bed", id="psc-1.w1.r1.b1"))


def test_a_wish_for_a_unit_that_does_not_exist_is_refused_by_name(world):
    person = world.person()
    with world.refuses(Invalid, "unknown-unit"):
        world.do(words.record_wish, person, NewWish(words="There.", units=frozenset({"psc-9.w9"})))


def test_what_a_patient_by_consent_says_is_not_known_to_an_intake_officer(world):
    [bed] = world.unit("cth-1.w1", rooms=(1,), kind=UnitKind.CTH, bases=[LegalBasis.CONSTRAINED])
    person = world.person(basis=LegalBasis.CONSTRAINED)
    world.consents(person, UnitKind.CTH)
    stay = world.admitted(bed, person)
    said = _objects(world, person, about=About(type="stay", id=stay.id))
    officer = world.as_(Role.INTAKE_OFFICER)
    with world.refuses(NotFound, "person-not-found"):
        officer.do(words.listed, person, OBJECTIONS)
    with world.refuses(NotFound, "word-not-found"):
        officer.do(words.answer_word, said.id, Answer(words="?"))
    [seen] = world.do(words.listed, person, OBJECTIONS)
    assert seen.id == said.id
