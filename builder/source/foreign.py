"""A folder or file that is not a saved pipeline → what it is, and what to give instead."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from builder.errors import SourceError

FORMS = (
    "a SOURCE is models:/name/3, models:/name@alias, runs:/id/path, an MLflow model folder, "
    "or a Spark PipelineModel folder."
)
_SAVE = "give the folder that PipelineModel.save wrote, or an MLflow model folder."
_CONVERTED = "Triton serves an ONNX file as it is: put it at NAME/1/model.onnx; publish takes the saved Spark pipeline."
_NOT_SPARK = "tritonbuild converts Spark ML pipelines only: give the folder that PipelineModel.save wrote."
_ENTRIES = 200  # of a folder that are looked at

_FILES = {
    ".onnx": ("an ONNX model", _CONVERTED),
    ".zip": ("an archive", "unpack it, and give the folder in it."),
    ".gz": ("an archive", "unpack it, and give the folder in it."),
    ".tgz": ("an archive", "unpack it, and give the folder in it."),
    ".tar": ("an archive", "unpack it, and give the folder in it."),
    ".pkl": ("a pickled Python object", _NOT_SPARK),
    ".pickle": ("a pickled Python object", _NOT_SPARK),
    ".joblib": ("a pickled Python object", _NOT_SPARK),
    ".pmml": ("a PMML model", _NOT_SPARK),
    ".parquet": ("a Parquet table", _SAVE),
}
_NAMED = {
    "config.pbtxt": ("a model of Triton's repository", "it is published already; `tritonbuild serve` serves it."),
    "saved_model.pb": ("a TensorFlow model", _NOT_SPARK),
    "bundle.json": ("an MLeap bundle", "give the folder that PipelineModel.save wrote, before MLeap."),
    "_delta_log": ("a Delta table", "it holds rows; " + _SAVE),
}
_ROWS = (".parquet", ".csv", ".json", ".orc", ".avro")


def check_is_model(root: Path) -> None:
    """Raises SourceError where this is neither an MLflow model folder nor a stage that Spark saved, in words that help."""
    if not root.exists():
        raise SourceError(f"{root} does not exist.", fix=FORMS)
    if not root.is_dir():
        what, fix = _FILES.get(root.suffix.lower(), ("", ""))
        if root.name == "MLmodel" or root.name.startswith("part-"):
            what, fix = "a file of a model", f"give the model's folder: {_owner(root) or root.absolute().parent}"
        raise SourceError(f"{root} is a file, not a folder{what and f': {what}'}.", fix=fix or FORMS)
    if _is_model(root):
        return
    above = _owner(root)
    if above is not None:
        raise SourceError(f"{root} is a part of a saved model, not the model.", fix=f"give its folder: {above}")
    damaged = (root / "metadata").exists() or (root / "stages").exists()
    below = [] if damaged else list(islice(_models_below(root), 4))
    if below:
        names = ", ".join(str(path) for path in below[:3]) + (", …" if len(below) > 3 else "")
        raise SourceError(
            f"{root} is not a model; it holds {'one' if len(below) == 1 else 'some'}.", fix=f"give {names}"
        )
    what, fix = _kind(root)
    raise SourceError(f"{root} holds no Spark ML model{what and f': it is {what}'}.", fix=fix)


def _is_model(folder: Path) -> bool:
    return (folder / "MLmodel").is_file() or any(islice((folder / "metadata").glob("part-*"), 1))


def _models_below(root: Path) -> Iterator[Path]:
    """Model folders one and two levels below."""
    level = [root]
    for _ in range(2):
        level = [child for folder in level for child in _entries(folder) if child.is_dir() and not child.is_symlink()]
        level = level[:_ENTRIES]
        yield from (child for child in level if _is_model(child))


def _owner(path: Path) -> Path | None:
    """The saved stage that has this as its `metadata`, `stages` or `data`, or as a file in one of these."""
    for folder in islice(path.absolute().parents, 2):
        if _is_model(folder):
            return folder
    return None


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(islice(folder.iterdir(), _ENTRIES))
    except PermissionError:
        return []


def _kind(root: Path) -> tuple[str, str]:
    entries = _entries(root)
    if not entries:
        return "an empty folder", _SAVE
    for entry in entries:
        if entry.name in _NAMED:
            return _NAMED[entry.name]
    if any(entry.name.startswith("part-") and entry.name.endswith(_ROWS) for entry in entries) or any(
        entry.is_dir() and "=" in entry.name for entry in entries
    ):
        return "a table that a DataFrame wrote", "it holds rows; " + _SAVE
    for entry in entries:
        if entry.suffix.lower() in _FILES and entry.suffix != ".parquet":
            what, fix = _FILES[entry.suffix.lower()]
            return f"the folder of {what} ({entry.name})", fix
    return "", f"metadata/part-* is missing or empty; {_SAVE}"
