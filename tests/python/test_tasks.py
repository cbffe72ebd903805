# SPDX-License-Identifier: Apache-2.0
"""Pictures in; pictures, cubes and segments out."""

import os
import subprocess

import cases
import numpy as np
import pytest

import vitrum


def random_picture(height, width, channels, dtype=np.uint8):
    samples = np.random.default_rng(3).random((height, width, channels))
    return samples.astype(np.float32) if dtype == np.float32 else (samples * np.iinfo(dtype).max).astype(dtype)


class TestRestore:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_gives_the_pictures_own_type(self, upscaler, dtype, channels):
        y = upscaler.run(random_picture(9, 11, channels, dtype))
        assert y.shape == (18, 22, channels) and y.dtype == dtype

    def test_is_what_the_network_says(self, upscaler):
        picture = random_picture(12, 10, 3)
        raw = upscaler((picture.transpose(2, 0, 1)[None] / 255).astype(np.float32))[0]
        expected = np.clip(raw.transpose(1, 2, 0) * 255, 0, 255)
        assert abs(upscaler.run(picture) - expected).max() <= 0.5 + 1e-3

    def test_planes_stay_planes(self, upscaler):
        picture = random_picture(9, 11, 1)
        y = upscaler.run(picture[:, :, 0])
        assert y.shape == (18, 22)
        assert (y == upscaler.run(picture)[:, :, 0]).all()

    def test_strides_do_not_matter(self, upscaler):
        picture = random_picture(9, 11, 4)
        turned = np.ascontiguousarray(picture[::-1, ::-1, ::-1])[::-1, ::-1, ::-1]
        assert (upscaler.run(turned) == upscaler.run(picture)).all()

    def test_alpha_is_kept_apart(self, upscaler):
        picture = random_picture(9, 11, 4)
        picture[:, :, 3] = 255
        y = upscaler.run(picture)
        assert (y[:, :, 3] == 255).all()
        assert (y[:, :, :3] == upscaler.run(picture[:, :, :3])).all()

    def test_files_are_read_and_written(self, upscaler, tmp_path):
        y = upscaler.run(cases.DATA / "tiny.png", output=tmp_path / "y.png")
        assert (tmp_path / "y.png").stat().st_size > 0
        assert y.dtype == np.uint8 and y.ndim == 3
        both = upscaler.run(str(cases.DATA / "tiny.png"), random_picture(3, 4, 3))
        assert (both[0] == y).all() and both[1].shape == (6, 8, 3)
        if "VITRUM_COMMAND" in os.environ:
            model = cases.checkpoint("swinir_lightweight_x2")
            command = [os.environ["VITRUM_COMMAND"], "run", model, cases.DATA / "tiny.png"]
            subprocess.run([*command, "-o", tmp_path / "z.png"], check=True, capture_output=True)
            assert (tmp_path / "y.png").read_bytes() == (tmp_path / "z.png").read_bytes()

    def test_tiles_are_an_option(self, upscaler):
        picture = random_picture(80, 40, 3, np.float32)
        whole, tiled = upscaler.run(picture, tile=0), upscaler.run(picture, tile=64)
        assert (whole == upscaler.run(picture)).all()
        assert 0 < abs(whole - tiled).max() and abs(whole - tiled).mean() < 0.05 * whole.std()

    def test_a_call_after_a_task_is_right(self, upscaler, picture):
        """Tasks leave the session at sizes of their own."""
        expected = upscaler(picture)
        upscaler.run(random_picture(9, 11, 3))
        assert (upscaler(picture) == expected).all()

    @pytest.mark.parametrize(
        "array, kind, text",
        [
            (np.zeros((4, 4, 3), np.int32), TypeError, "uint8, uint16 or float32"),
            (np.zeros((4, 4, 5), np.uint8), vitrum.UsageError, "1 to 4 channels"),
            (np.zeros((1, 3, 4, 4), np.uint8), vitrum.UsageError, "call the engine itself"),
            (np.zeros((0, 4, 3), np.uint8), vitrum.UsageError, "picture"),
            (None, TypeError, "expected an array"),
        ],
    )
    def test_other_arrays_are_refused(self, upscaler, array, kind, text):
        with pytest.raises(kind, match=text):
            upscaler.run(array)

    def test_unknown_options_are_refused(self, upscaler):
        with pytest.raises(TypeError, match="sharpen"):
            upscaler.run(random_picture(3, 4, 3), sharpen=True)
        with pytest.raises(TypeError, match="needs a picture"):
            upscaler.run()

    @pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
    def test_pil_in_pil_out(self, upscaler, mode):
        pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
        picture = pil.fromarray(random_picture(9, 11, 3)).convert(mode)
        y = upscaler.run(picture)
        assert isinstance(y, pil.Image) and y.size == (22, 18)
        assert y.mode == {"P": "RGB", "1": "L"}.get(mode, mode)

    def test_pil_modes_that_are_no_picture(self, upscaler):
        pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
        with pytest.raises(vitrum.UsageError, match="CMYK"):
            upscaler.run(pil.new("CMYK", (4, 4)))


class TestSpectral:
    def test_gives_a_cube(self, tmp_path):
        engine = vitrum.compile(cases.widened("mstpp_one_stage", 4, 31), threads=1)
        cube = engine.run(random_picture(16, 24, 3))
        bands = len(cube.wavelengths)
        assert cube.values.shape == (16, 24, bands) and cube.values.dtype == np.float32
        assert 0 <= cube.values.min() and cube.values.max() <= 1
        cube.save(tmp_path / "cube.npy")
        assert (np.load(tmp_path / "cube.npy") == cube.values).all()
        values = cube.values
        del cube
        assert np.isfinite(values).all()
        loose = engine.run(random_picture(16, 24, 3), clip=False, normalise="none")
        assert loose.values.shape == values.shape
        with pytest.raises(vitrum.UsageError, match="normalise"):
            engine.run(random_picture(16, 24, 3), normalise="somehow")
        with pytest.raises(vitrum.UsageError, match="leave mask out"):
            engine.run(random_picture(16, 24, 3), mask=np.ones((16, 24), np.float32))

    def test_takes_snapshots(self, tmp_path):
        engine = vitrum.compile(cases.widened("mst_cassi_small", 3, 28), threads=1)
        bands, side = engine.info.in_channels, 8
        rng = np.random.default_rng(5)
        snapshot = rng.random((side, side + 2 * (bands - 1)), np.float32)
        mask = rng.random((side, side), np.float32)
        cube = engine.run(snapshot, mask=mask)
        assert cube.values.shape == (side, side, bands)
        np.save(tmp_path / "snapshot.npy", snapshot)
        np.save(tmp_path / "mask.npy", mask)
        again = engine.run(tmp_path / "snapshot.npy", mask=tmp_path / "mask.npy")
        assert (again.values == cube.values).all()
        # The bands moved back already, in either order and in memory of any order.
        moved = np.stack([snapshot[:, 2 * b : 2 * b + side] for b in range(bands)], axis=2) * (2 / bands)
        for each in (moved, np.asfortranarray(moved), moved.transpose(2, 0, 1)):
            assert np.allclose(engine.run(each, mask=mask).values, cube.values, atol=1e-5)
        with pytest.raises(vitrum.UsageError, match="mask"):
            engine.run(snapshot)


class TestSegment:
    @pytest.mark.parametrize("kind", ["panoptic", "instance", "semantic"])
    def test_gives_labels_and_masks(self, segmenter, kind):
        picture = random_picture(40, 56, 3)
        found = segmenter.run(picture, kind=kind, short_edge=64, threshold=0.0, overlap_threshold=0.0)
        assert found.kind == kind
        assert len(found.class_names) == len(segmenter.info.class_names)
        assert len(found) == len(found.segments) > 0
        for i, one in enumerate(found.segments):
            mask = found.mask(i)
            assert mask.shape == (40, 56) and mask.dtype == np.bool_
            assert mask.sum() == one.area
            assert 0 <= one.class_index < len(found.class_names)
            if one.area:
                rows, columns = np.where(mask)
                box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
                assert one.box == box
        if kind == "instance":
            assert found.labels is None
        else:
            assert found.labels.shape == (40, 56) and found.labels.dtype == np.uint16
        with pytest.raises(IndexError):
            found.mask(len(found))

    def test_options_are_checked(self, segmenter):
        picture = random_picture(8, 8, 3)
        for options in ({"kind": "thing"}, {"rules": "mine"}, {"classes": "coco"}):
            with pytest.raises(vitrum.Error):
                segmenter.run(picture, **options)
