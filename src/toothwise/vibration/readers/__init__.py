"""Recordings from the files that engineers have: MAT, HDF5, CSV, Parquet, TDMS, UFF 58, MF4, WAV, FLAC, NPZ, NPY."""

from toothwise.vibration.readers.mapping import RecordMapping
from toothwise.vibration.readers.read import SUFFIXES, read_record
from toothwise.vibration.readers.write import WRITABLE, write_record

__all__ = ["SUFFIXES", "WRITABLE", "RecordMapping", "read_record", "write_record"]
