#!/usr/bin/env python3
"""Writes tests/data/arrays: array files by their real producers (numpy, scipy, h5py, hdf5storage).

Every `ramp` is [3, 4, 2] with the value 100·i + 10·j + k at (i, j, k); `flat` is its part [:, :, 0].
"""

import pathlib

import h5py
import hdf5storage
import numpy as np
import scipy.io

FOLDER = pathlib.Path(__file__).parent.parent / "tests" / "data" / "arrays"


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    i, j, k = np.meshgrid(np.arange(3), np.arange(4), np.arange(2), indexing="ij")
    ramp = (100 * i + 10 * j + k).astype(np.float32)
    for kind in ("float32", "float64", "float16", "uint16", "int64", "uint8"):
        np.save(FOLDER / f"{kind}.npy", ramp.astype(kind))
    np.save(FOLDER / "fortran.npy", np.asfortranarray(ramp))
    np.save(FOLDER / "big_endian.npy", ramp.astype(">f4"))
    scipy.io.savemat(FOLDER / "v5.mat", {"ramp": ramp.astype(np.float64)})
    scipy.io.savemat(FOLDER / "v5_compressed.mat", {"ramp": ramp}, do_compression=True)
    scipy.io.savemat(FOLDER / "v5_several.mat", {"title": "text", "gain": 2.0, "ramp": ramp, "flat": ramp[:, :, 0]})
    scipy.io.savemat(FOLDER / "v5_complex.mat", {"ramp": ramp * 1j})
    scipy.io.savemat(FOLDER / "v4.mat", {"flat": ramp[:, :, 0]}, format="4")
    with h5py.File(FOLDER / "h5py.mat", "w") as file:
        file["cube"] = ramp.T
        file.create_group("#refs#")
    hdf5storage.savemat(str(FOLDER / "v73.mat"), {"cube": ramp}, format="7.3", store_python_metadata=True)


if __name__ == "__main__":
    main()
