"""Archives are read for what is in them, whatever they claim."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks import fuzz
from combicam_widgets.archives import Archive

LEAST = 1 << 20
ARRAYS = {
    "numbers": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "great": np.array([1, 2**40, -3], dtype=">i8"),
    "truths": np.array([True, False]),
    "one": np.array(7, dtype=np.uint8),
    "none": np.zeros((0, 2)),
    "texts": np.array(["Ōtautahi", "", "Rome"]),
    "text": np.array("facts"),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "some.npz"
    np.savez_compressed(path, **ARRAYS)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_saved_comes_back(path, save):
    save(path, **ARRAYS)
    with Archive(path, LEAST) as archive:
        assert set(archive.names) == set(ARRAYS)
        for name, array in ARRAYS.items():
            if array.dtype.kind == "U":
                assert archive.texts(name) == array.ravel().tolist()
            else:
                again = archive.numbers(name)
                np.testing.assert_array_equal(again, array)
                assert again.dtype == array.dtype
                assert again.shape == array.shape
                assert not again.flags.writeable


def test_many_texts_padded_to_the_longest_take_what_they_say(tmp_path):
    texts = [f"cell {i}" for i in range(20_000)]
    texts[7] = "x" * 2_000  # 160 MB as NumPy holds them
    path = tmp_path / "texts.npz"
    np.savez_compressed(path, texts=np.array(texts))
    with fuzz.bounded_memory(20), Archive(path, LEAST * 8) as archive:
        assert archive.texts("texts") == texts


def test_the_file_is_closed_in_the_end_and_when_it_is_refused(path, monkeypatch):
    opened = []
    true_open = Path.open
    monkeypatch.setattr(
        Path, "open", lambda *args, **more: opened.append(true_open(*args, **more)) or opened[-1]
    )
    with Archive(path, LEAST):
        assert not opened[0].closed
    path.write_text("PK\x03\x04 and no more")
    with pytest.raises(ValueError, match="damaged"):
        Archive(path, LEAST)
    assert len(opened) >= 2
    assert all(file.closed for file in opened)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty; copy, download or save it again"),
        (b"hello", "it is not a NumPy archive"),
        (b"PK\x03\x04" + bytes(100), "it is cut short or damaged; copy, download or save it again"),
    ],
)
def test_other_files_are_refused(path, content, words):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        Archive(path, LEAST)


def rewritten(path, name, header, content=b"", packing=zipfile.ZIP_DEFLATED, **more):
    """Have an array claim to be something else."""
    header = header.encode() + b"\n"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr(f"{name}.npy", start + content)
        for other, written in more.items():
            archive.writestr(other, written)


def claim(descr, shape, order=False):
    return f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    ("header", "content", "words"),
    [
        (claim("<f8", "(1000000000000,)"), bytes(8), "claims 8,000,000,000,000 bytes where .* 8"),
        (claim("<f8", "(1,)"), bytes(16), "claims 8 bytes where there are 16"),
        (claim("<f8", "(2, 2)"), bytes(8), "claims 32 bytes where there are 8"),
        (claim("<f8", "(-1, -1)"), bytes(8), "no array of plain numbers"),
        (claim("|O", "(1,)"), bytes(8), "saved without pickle"),
        (claim([("a", "<f8")], "(1,)"), bytes(8), "no array of plain numbers"),
        (claim("<M8[s]", "(1,)"), bytes(8), "no array of plain numbers"),
        (claim("<c16", "(1,)"), bytes(16), "no array of plain numbers"),
        (claim("<f7", "(1,)"), bytes(7), "unknown type <f7"),
        (claim("<f8", "(1,)", "__import__('os')"), bytes(8), "no array of plain numbers"),
        ("(" * 9000, b"", "no array of plain numbers"),
        ("", b"", "no array of plain numbers"),
        (claim("<U0", "(1000000000000,)"), b"", "claims 0 bytes"),
        (claim("<U2", "(1,)"), bytes(8), "text where numbers should be"),
    ],
)
def test_claims_that_are_not_true_are_refused(path, header, content, words):
    rewritten(path, "x", header, content)
    with (
        fuzz.bounded_memory(5),
        Archive(path, LEAST) as archive,
        pytest.raises(ValueError, match=words),
    ):
        archive.numbers("x")


def test_what_unfolds_far_beyond_the_file_is_refused_before_it_is_unfolded(tmp_path):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros(1_500_000), y=np.zeros(100_000), z=np.zeros(100_000))
    assert path.stat().st_size < 20_000
    too_much = pytest.raises(ValueError, match="x would take far more memory than this file")
    with fuzz.bounded_memory(5), Archive(path, LEAST) as archive, too_much:
        archive.numbers("x")
    with Archive(path, LEAST) as archive:  # what several take counts together
        assert not archive.numbers("y").any()
        with pytest.raises(ValueError, match="z would take far more memory"):
            archive.numbers("z")


def test_texts_that_unfold_far_beyond_the_file_are_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    for texts in (np.array(["x" * 3_000_000]), np.array(["x" * 100] * 30_000)):
        np.savez_compressed(path, texts=texts)
        assert path.stat().st_size < 20_000
        too_much = pytest.raises(ValueError, match="texts would take far more memory")
        with fuzz.bounded_memory(20), Archive(path, LEAST) as archive, too_much:
            archive.texts("texts")


def test_characters_that_do_not_exist_are_refused(path):
    rewritten(path, "x", claim("<U1", "(1,)"), b"\xff\xff\xff\x7f")
    with Archive(path, LEAST) as archive, pytest.raises(ValueError, match="x is not text"):
        archive.texts("x")


def test_a_name_that_comes_twice_is_refused(path):
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("one.npy", b"another")
    with pytest.raises(ValueError, match="an array comes twice"):
        Archive(path, LEAST)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_numpy_does_not_write_are_refused(path, packing):
    rewritten(path, "x", claim("<f8", "(1,)"), bytes(8), packing)
    with pytest.raises(ValueError, match="damaged"):
        Archive(path, LEAST)


def test_what_is_not_there_is_named(path):
    with Archive(path, LEAST) as archive, pytest.raises(ValueError, match="it has no other"):
        archive.numbers("other")


@pytest.mark.parametrize("change", [1, 0x80, 0xFF])
def test_one_byte_changed_is_found_or_changes_nothing(tmp_path, change):
    path = tmp_path / "small.npz"
    small = {"numbers": np.arange(3.0), "texts": np.array(["a", "b"])}
    np.savez_compressed(path, **small)
    content = path.read_bytes()
    refused = 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ change]) + content[place + 1 :])
        try:
            with Archive(path, LEAST) as archive:
                found = {"numbers": archive.numbers("numbers"), "texts": archive.texts("texts")}
        except ValueError:
            refused += 1
        else:
            np.testing.assert_array_equal(found["numbers"], small["numbers"])
            assert found["texts"] == ["a", "b"]
    assert refused > len(content) / 2
