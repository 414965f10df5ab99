RST = """
.. _start:

Getting Better
==============

.. currentmodule:: nothing

It takes time, and **a good
chair**; see :doc:`/chairs` and :func:`sit() <chairs.sit>` or the `shop <https://example.org>`_
for more on ``sitting``.

.. image:: chair.png
   :alt: a chair

.. note::

    Not every chair is good.

.. code-block:: python
    :caption: x

    def sit(**options):
        return `chair`

.. a comment
   over two lines

Then::

    $ stand
"""


def test_rst_without_its_markup(load):
    (record,) = load("text", {"docs/a.rst": RST}, markup="rst")
    assert record.text.split("\n\n") == [
        "Getting Better",
        "It takes time, and a good chair; see /chairs and sit() or the shop for more on sitting.",
        "    Not every chair is good.",
        "    def sit(**options):\n        return `chair`",
        "Then:",
        "    $ stand",
    ]


def test_code_beside_documentation_stays_as_it_is(load):
    code = 'def f():\n    """See :func:`g`."""\n'
    (record,) = load("text", {"src/a.py": code}, markup="rst")
    assert record.text == code.strip("\n")


def test_wrapped_lines_are_joined(load):
    lines = (
        "One line of this paragraph reaches the margin and then\nthe next one carries on to its end.\n\nA second one.\n"
    )
    (record,) = load("text", {"a.txt": lines}, markup="wrapped")
    assert record.text.startswith("One line of this paragraph reaches the margin and then the next")
    assert record.text.endswith("end.\n\nA second one.")


def test_encodings(load):
    texts = {
        "bom.txt": b"\xef\xbb\xbfgr\xc3\xbc\xc3\x9fe",
        "utf16.txt": "grüße".encode("utf-16"),
        "cp1252.txt": ("a long letter home, " * 5 + "grüße – “so”").encode("cp1252"),
        "hint.txt": "привет всем".encode("koi8-r"),
    }
    found = {r.key: r.text for r in load("text", texts, encoding="koi8-r")}
    assert found["bom.txt"] == found["utf16.txt"] == "grüße"
    assert found["hint.txt"] == "привет всем"
    assert load("text", {"c.txt": texts["cp1252.txt"]})[0].text.endswith("grüße – “so”")


def test_bad_files(load):
    found = load("text", {"a.txt": b"", "b.txt": b"\x00\xff\x00\xff" * 20, "c.txt.gz": b"\x1f\x8b\x08broken"})
    assert [(b.origin, b.reason) for b in found] == [
        ("a.txt", "empty"),
        ("b.txt", "not_text"),
        ("c.txt.gz", "unreadable"),
    ]
