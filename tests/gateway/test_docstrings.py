from gateway.docstrings import attributes, summary


class Base:
    """A base.

    Attributes:
        name: what it is called,
            on two lines.
        first, second: of one kind.
    """


class Derived(Base):
    """A sentence
    on two lines.

    More.

    Attributes:
        reads: counted in; read_points: where; not_a_field: stays in the text.
        name: told anew.

    Args:
        other: not a field.
    """


class Bare:
    pass


def test_summary_is_the_first_sentence_on_one_line() -> None:
    assert summary(Derived) == "A sentence on two lines."
    assert summary(Bare) == ""


def test_attributes_of_a_class_and_its_bases() -> None:
    fields = ("name", "first", "second", "reads", "read_points", "other")
    assert attributes(Base, fields) == {
        "name": "what it is called, on two lines.",
        "first": "of one kind.",
        "second": "of one kind.",
    }
    assert attributes(Derived, fields) == {
        "name": "told anew.",
        "first": "of one kind.",
        "second": "of one kind.",
        "reads": "counted in",
        "read_points": "where; not_a_field: stays in the text.",
    }
    assert attributes(Bare, fields) == {}
