"""Many photos in one widget: a gallery, the map of all answers, and a scatter to brush."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from os import PathLike
from types import MappingProxyType
from typing import Any

import ipywidgets as w
import numpy as np

from combicam_widgets import files
from combicam_widgets.geo.given import brief
from combicam_widgets.shown.colors import COLORMAPS
from combicam_widgets.shown.readonly import ReadOnlyDict, read_only
from combicam_widgets.widgets import traits
from combicam_widgets.widgets.component import Component, Wanted, changed
from combicam_widgets.widgets.gallery import columns as table
from combicam_widgets.widgets.gallery import handout
from combicam_widgets.widgets.gallery.collection import Collection, Framed, Source, as_collection
from combicam_widgets.widgets.gallery.page import VIEW, GalleryPage
from combicam_widgets.widgets.gallery.pictures import Look, Pictures
from combicam_widgets.widgets.held import Result, Setting

_SEEN = 12
"""How many photos are seen where no widgets are."""

_OPEN = "The photo is open in the explorer below."

_OF_TABLE = ("sort_by", "filters", "search", "brush", "x", "y", "selected")
"""Settings that are about one table."""


def _row(value: Any) -> int | None:  # noqa: ANN401
    if value is None:
        return None
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"selected must be a row, or None, not {brief(value)}.")
    return int(value)


class PhotoGallery(Component):
    """Many explained photos: sort, filter and brush them, and open one.

    Small pictures with heat, a map of all answers and truths, and a scatter of any two columns.
    What is brushed or filtered in one is shown in all, in the page alone: also while the kernel
    is busy. A notebook is saved without the table, and with the first twelve pictures.

    Parameters
    ----------
    many : Many, or pandas.DataFrame, optional
        What `explain_many` gives; or anything with ``table()``, ``photo(row)`` and perhaps
        ``heatmap(row)`` and ``model``; or a table with one row per photo, and ``photos``.
    photos, heatmaps : callable or sequence, optional
        Only with a table: the photo and the heat of each row.
    **values
        Initial values of the other traits.

    Examples
    --------
    >>> gallery = Gallery(many, sort_by="-distance_km")  # doctest: +SKIP
    >>> gallery.filters = {"distance_km": (500, None), "place": "france"}  # doctest: +SKIP
    >>> gallery.shown  # doctest: +SKIP
    """

    _room = MappingProxyType({"width": "100%"})

    many = Setting(traits.optional(as_collection), default_value=None)
    """The collection that is shown; another one begins without filters, brush and selection. The
    same folder read again, since it grows, keeps all but the selection."""

    sort_by = Setting(traits.text("sort_by"), default_value="")
    """Column to sort by, with "-" before its name for the largest first; "" (default): as given.
    Equal rows stay in the given order, rows without a value come last."""

    filters = Setting(lambda value: _mapping("filters", value), default_value=ReadOnlyDict())
    """Conditions by column, all of which must hold. Numbers: ``(low, high)``, both included, None
    for no bound. Texts: a part of it, whatever its accents and capitals; or a list of texts, one
    of which it is. Any: True for something, False for nothing. Default: none."""

    search = Setting(traits.text("search"), default_value="")
    """Words, each of which some text of a row holds; "" (default): all rows."""

    brush = Setting(
        traits.optional(lambda value: _mapping("brush", value)),
        default_value=None,
    )
    """The part of scatter or map that is brushed, ``{column: (low, high)}``, or a list for a column
    of texts; or None (default)."""

    x = Setting(traits.text("x"), default_value="")
    """Column along the scatter. Default: the distance to the truth, if there is one."""

    y = Setting(traits.text("y"), default_value="")
    """Column up the scatter. Default: the worth, if there is one."""

    selected = Setting(_row, default_value=None)
    """The row that is marked in all views, counted from 0 as in the table; None (default): none."""

    heat = Setting(traits.switch("heat"), default_value=True)
    """Whether the small pictures show the heat. Default: yes."""

    colormap = Setting(traits.one_of("colormap", lambda: COLORMAPS), default_value=COLORMAPS[0])
    """Colour map of the heat."""

    model = Setting(traits.optional(traits.as_model), default_value=None)
    """The geo model with which photos are opened. Default: that of the collection."""

    explores = Setting(traits.switch("explores"), default_value=True)
    """Whether a photo that is opened is shown in an explorer below. Default: yes."""

    shown = Result()
    """The rows that are shown, in their order: (K,) int array, counted from 0 as in the table."""

    explorer = Result()
    """The explorer of the photo that was opened; None before that."""

    def __init__(
        self,
        many: Collection | Any = None,  # noqa: ANN401
        photos: Source | None = None,
        heatmaps: Source | None = None,
        **values: Any,  # noqa: ANN401
    ) -> None:
        self._on_open: list[Callable[[int], object]] = []
        self._pictures: Pictures | None = None
        if photos is not None:
            many = Framed(many, photos, heatmaps)
        elif heatmaps is not None:
            raise TypeError("heatmaps go with photos: Gallery(frame, photos=..., heatmaps=...).")
        super().__init__({**({} if many is None else {"many": many}), **values})

    def on_open(self, callback: Callable[[int], object], remove: bool = False) -> None:  # noqa: FBT001, FBT002
        """Call a function with the row of each photo that is opened.

        Parameters
        ----------
        callback : callable
            Called with the row, counted from 0 as in the table.
        remove : bool
            Whether to call it no longer instead.
        """
        (self._on_open.remove if remove else self._on_open.append)(callback)

    def open_photo(self, row: int) -> None:
        """Open a photo, as a click on it does.

        Parameters
        ----------
        row : int
            Counted from 0 as in the table.

        Raises
        ------
        traitlets.TraitError
            There is no such row.
        ValueError
            It is not known which model explains the photo.
        """
        if row is None:
            raise TypeError("row must be the number of a photo, counted from 0, not None.")
        self.selected = row
        for callback in tuple(self._on_open):
            callback(self.selected)
        if self.explores:
            self.change({"explorer": self._explored(self.selected)})

    def close_photo(self) -> None:
        """Close the explorer of the photo that was opened, if there is one."""
        explorer = self.explorer
        if explorer is not None:
            self.change({"explorer": None})
            explorer.close()

    def to_html(
        self,
        path: str | PathLike[str],
        *,
        title: str = "Photos",
        include_position: bool = False,
        include_names: bool = False,
    ) -> None:
        """Write a page with the first 100 photos that are shown; it needs no kernel, no internet.

        Parameters
        ----------
        path : path-like
            Must end in ".html" or ".htm", if it has an ending. An existing file is replaced once
            the new one is whole.
        title : str
            Heading of the page.
        include_position : bool
            Whether it says where photos were taken, and how far from there the answers lie.
        include_names : bool
            Whether it says how the photos are called, which may be the names of files. Photos
            with a ``credit`` are called by their names anyway, and the credit is in it.

        Raises
        ------
        ValueError
            Nothing is shown, or the path has another ending.
        OSError
            Nothing can be written there.
        """
        if not isinstance(title, str):
            raise TypeError(f"title must be a str, not {brief(title)}.")
        file = files.destination(path, (".html", ".htm"))
        if self.many is None or not len(self.shown):
            raise ValueError("No photo is shown: give the gallery some, or take filters away.")
        text = handout.page(
            self.columns,
            self.shown,
            self.pictures,
            Look(self.heat, self.colormap),
            {"x": self.x, "y": self.y},
            title,
            handout.Told(include_position, include_names),
        )
        files.write(file, text.encode(errors="replace"))  # names of files hold whatever they hold

    def close(self) -> None:
        """Take it off the page, and all that it is made of out of the kernel's memory."""
        if self.comm is not None:
            if self._pictures is not None:
                self._pictures.close()
            super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Show the widget; where none are shown, pictures of the first photos, and how many."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        if not len(self.shown):
            return bundle
        rows, look = self.shown[:_SEEN].tolist(), Look(self.heat, self.colormap)
        jpeg, shown, total = self.pictures.sheet(rows, look), len(self.shown), self.columns.rows
        left_out = f" ({total - shown:,} are left out)" if shown < total else ""
        alone = f"The first of {shown:,} photos{left_out}. Run the cell to see them."
        with self._page.hold_sync():
            self._page.still, self._page.alone = jpeg, alone
        sheet = base64.b64encode(jpeg).decode()
        seen = f'<img alt="{alone}" src="data:image/jpeg;base64,{sheet}">'
        return bundle | {"image/jpeg": sheet, "text/html": f"{seen}<p>{alone}</p>"}

    @property
    def columns(self) -> table.Columns:
        """The columns of the table, as they are sorted and filtered."""
        columns: table.Columns = self._now["columns"]
        return columns

    @property
    def pictures(self) -> Pictures:
        """What makes small pictures."""
        if self._pictures is None:
            raise ValueError("There are no pictures before there are photos: give many.")
        return self._pictures

    def _explored(self, row: int) -> w.Widget | None:  # noqa: ARG002
        """Show the photo of a row in an explorer, the same one each time."""
        return None

    def _made(self) -> None:
        self._page = GalleryPage(self._heard, self._want, self._open_from_page, self.close_photo)
        self.children = [self._page]
        self.add_class("ccw-gallery-widget")

    def _settled(self, now: Wanted, wanted: Wanted) -> dict[str, Any]:
        settled = dict(wanted)
        if "columns" not in now or changed(now, {**now, **wanted}, "many"):
            many = {**now, **wanted}["many"]
            columns = table.Columns(()) if many is None else table.columns_of(many.table())
            first = {name: self.traits()[name].default_value for name in _OF_TABLE}
            first |= table.first_axes(columns)
            if _is_more_of(now.get("many"), many) and now["columns"].rows:
                first |= {name: now[name] for name in _OF_TABLE if name != "selected"}
            settled = {**first, **settled, "columns": columns}
            settled.setdefault("explorer", now.get("explorer") if "columns" in now else None)
        columns = {**now, **settled}["columns"]
        for name in ("filters", "brush"):
            if settled.get(name) is not None:
                settled[name] = ReadOnlyDict(table.checked(columns, settled[name], name))
        after = {**now, **settled}
        _check(columns, after)
        if changed(now, after, "columns", "sort_by", "filters", "search", "brush"):
            settled["shown"] = _shown(after)
        return settled

    def _draw(self, before: Wanted, now: Wanted) -> None:
        page = self._page
        with page.hold_sync():
            if changed(before, now, "columns"):
                if self._pictures is not None:
                    self._pictures.close()
                many = now["many"]
                heatmap = getattr(many, "drawn", None) or getattr(many, "heatmap", None)
                self._pictures = (
                    None if many is None else Pictures(many.photo, heatmap, page.send_picture)
                )
                page.show_table(now["columns"])
            page.show({name: now[name] for name in VIEW})
        if changed(before, now, "explorer"):
            explorer = now.get("explorer")
            self.children = [page] if explorer is None else [page, explorer]
            with page.hold_sync():
                page.exploring = explorer is not None
                page.doing = "" if explorer is None else _OPEN

    def _heard(self, done: Wanted) -> None:
        self._hear(done)

    def _want(self, rows: list[int], look: Look) -> None:
        self.pictures.want(rows, look)

    def _open_from_page(self, row: int) -> None:
        """Open a photo; what goes wrong is said where the person is looking."""
        before = self._page.doing
        self._page.problem, self._page.doing = "", "Opening the photo…"
        try:
            self.open_photo(row)
        except Exception as error:  # noqa: BLE001  (said on the page)
            self._page.problem = f"This photo cannot be opened: {error or type(error).__name__}"
            self._page.doing = before
        else:
            self._page.doing = _OPEN if self._page.exploring else ""


def _is_more_of(before: Collection | None, after: Collection | None) -> bool:
    """Whether both are of one folder of results: so rows may have come, but no column."""
    folder = getattr(after, "folder", None)
    return folder is not None and getattr(before, "folder", None) == folder


def _check(columns: table.Columns, after: Wanted) -> None:
    """Refuse what names no column or row."""
    if sort_by := after["sort_by"]:
        columns.find(table.direction(columns, sort_by)[0], "sort_by")
    for name in ("x", "y"):
        if after[name]:
            columns.find(after[name], name)
    for name, part in (after["brush"] or {}).items():
        if isinstance(part, bool | str) or None in part:
            what = "(low, high)" if columns[name].words is None else "a list of texts"
            raise ValueError(f"brush[{name!r}] must be {what}, not {brief(part)}.")
    row = after["selected"]
    if row is not None and not 0 <= row < columns.rows:
        raise IndexError(f"selected must be a row of {columns.rows}, not {row}.")


def _shown(now: Wanted) -> Any:  # noqa: ANN401
    columns: table.Columns = now["columns"]
    conditions = now["filters"], now["search"]
    rows = table.matching(columns, *conditions) & table.matching(columns, now["brush"] or {}, "")
    order = table.ordered(columns, now["sort_by"])
    return read_only(order[rows[order]].astype(np.int64))


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict from column to condition, not {brief(value)}.")
    return dict(value)
