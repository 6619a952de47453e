import pytest
from tiny_many import some_photos


@pytest.fixture
def folder_of_photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for i, photo in enumerate(some_photos(7)):
        photo.to_pil().save(folder / ("more" if i > 4 else ".") / f"{i}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder
