"""Data: digits by name or path, as uint8 images [N, C, H, W] and labels [N]."""

from digitforge.data.catalogue import Entry, catalogue, data_name, is_at_hand, load_data, load_digits
from digitforge.data.digits import DIGIT_NAMES, DataSet, Digits
from digitforge.data.fetch import cache_folder
from digitforge.data.formats import read_path
from digitforge.data.idx import read_idx, write_idx
from digitforge.data.sources import Progress

__all__ = [
    "DIGIT_NAMES",
    "DataSet",
    "Digits",
    "Entry",
    "Progress",
    "cache_folder",
    "catalogue",
    "data_name",
    "is_at_hand",
    "load_data",
    "load_digits",
    "read_idx",
    "read_path",
    "write_idx",
]
