"""The files that the authors of the model publish, and where they come from."""

SOURCE = "https://mever.iti.gr/visloc/"
"""Where the authors publish the files; nothing here ever fetches them."""


def advice(name: str) -> str:
    """Say where a file comes from."""
    return f"The authors publish {name} at {SOURCE}{name}; nothing is fetched for you."
