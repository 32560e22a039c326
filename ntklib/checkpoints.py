"""Checkpoints of a training run: written whole or not at all, read without unpickling code."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ntklib.documents import Documents
from ntklib.files import replacing

Records = dict[int, dict[str, torch.Tensor]]


def run_fingerprint(settings: dict[str, Any]) -> dict[str, str]:
    """Make a checksum of each setting that determines a run's result; arrays enter by content.

    Parameters
    ----------
    settings : dict
        JSON values, arrays, Documents, tuples of these, or a network (its weights).

    Returns
    -------
    dict
        From each setting's name to a checksum.

    Examples
    --------
    >>> one, other = ({"seed": 0, "corpus": np.arange(n)} for n in (2, 3))
    >>> [key for key, value in run_fingerprint(one).items() if run_fingerprint(other)[key] != value]
    ['corpus']
    """
    return {name: _checksum(value) for name, value in settings.items()}


def _checksum(value: Any) -> str:
    digest = hashlib.sha256()
    if isinstance(value, torch.nn.Module):
        for name, tensor in value.state_dict().items():
            digest.update(f"{name} {_checksum(tensor.numpy())}".encode())
    elif isinstance(value, Documents):
        # Documents on disk have shorter integers.
        whole = (value.ids.astype(np.int64), value.offsets.astype(np.int64))
        digest.update(" ".join(map(_checksum, whole)).encode())
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, tuple):
        digest.update(" ".join(map(_checksum, value)).encode())
    else:
        digest.update(json.dumps(value).encode())
    return digest.hexdigest()


def save_checkpoint(
    path: Path,
    fingerprint: dict[str, str],
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    records: Records,
) -> None:
    """Write the state of a run after ``epoch`` epochs: ``path`` holds the old checkpoint or the new one.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    state = {
        "fingerprint": fingerprint,
        "epoch": epoch,
        "records": records,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    # Through an open file: torch would note the temporary file's name in it, different each time.
    with replacing(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # torch's writer does not say why it could not write
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def load_checkpoint(
    path: Path, fingerprint: dict[str, str], network: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, Records]:
    """Put network and optimiser into a checkpoint's state.

    Returns
    -------
    epoch : int
        How many epochs were done.
    records : dict
        What was recorded, by epoch.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or one of a run with other settings; names those that differ.
    """
    try:
        state = torch.load(path, weights_only=True)
        saved, epoch, records = state["fingerprint"], state["epoch"], state["records"]
        weights, steps = state["network"], state["optimizer"]
    except Exception as error:
        raise ValueError(
            f"checkpoint {str(path)!r} cannot be read ({type(error).__name__}): delete it to start again."
        ) from error
    differing = [name for name in fingerprint if saved.get(name) != fingerprint[name]]
    if differing:
        raise ValueError(
            f"checkpoint {str(path)!r} belongs to another run: it differs in {', '.join(differing)}. "
            "Use another path, or delete it; a network must be passed in its initial state to continue."
        )
    network.load_state_dict(weights)
    optimizer.load_state_dict(steps)
    return epoch, records
