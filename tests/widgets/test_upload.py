"""Files arrive in pieces, whole and in order, and are never part of the state."""

import pytest

from combicam_widgets.images import MAX_FILE_BYTES
from combicam_widgets.widgets.explorer.upload import Upload


def send(upload, which, data, piece, name="grandma.jpg"):
    for offset in range(0, max(len(data), 1), piece):
        content = {"file": which, "name": name, "offset": offset, "size": len(data)}
        upload._handle_custom_msg(content, [memoryview(data[offset : offset + piece])])


@pytest.fixture
def arrived():
    return []


@pytest.fixture
def upload(arrived):
    upload = Upload(description="Your photo…")
    upload.on_file(lambda content, name: arrived.append((name, content)))
    return upload


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 1000])
def test_a_file_arrives_whole(upload, arrived, size):
    data = bytes(i % 251 for i in range(size))
    before = upload.get_state()
    send(upload, "1", data, 100)
    assert arrived == [("grandma.jpg", data)]
    assert upload.get_state() == before


def test_a_file_that_comes_later_replaces_one_that_is_still_coming(upload, arrived):
    old, new = b"o" * 250, b"n" * 250
    send(upload, "old", old[:200], 100)  # would have gone on
    arrived.clear()
    first = {"file": "old", "name": "old", "size": 250}
    upload._handle_custom_msg({**first, "offset": 0}, [memoryview(old[:100])])
    send(upload, "new", new, 100)
    upload._handle_custom_msg({**first, "offset": 100}, [memoryview(old[100:200])])
    upload._handle_custom_msg({**first, "offset": 200}, [memoryview(old[200:])])
    assert arrived == [("grandma.jpg", new)]


def test_what_is_too_large_is_cut_just_beyond_the_limit():
    assert Upload().at_most == MAX_FILE_BYTES + 1


@pytest.mark.parametrize("message", ["wanted", {}, {"other": 1}, None, ["file"]])
def test_other_messages_are_none_of_its_business(upload, arrived, message):
    upload._handle_custom_msg(message, [])
    assert arrived == []


def test_the_explorer_opens_what_arrives_and_keeps_its_name_to_itself(explorer, at_once, tmp_path):
    from combicam_widgets import sample

    file = tmp_path / "grandma 1951.png"
    sample("panda").to_pil().save(file)
    send(explorer.controls.upload, "1", file.read_bytes(), 50_000, file.name)
    assert "panda" in explorer.status
    assert explorer.image.name == "grandma 1951.png"
    assert explorer.image.public_name == ""


def test_all_that_is_read_is_offered(explorer):
    from combicam_widgets.images import picture_endings

    offered = explorer.controls.upload.accept.split(",")
    assert offered[0] == "image/*"
    assert offered[1:] == picture_endings()
