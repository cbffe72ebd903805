// SPDX-License-Identifier: Apache-2.0
#include "pictures.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>

#include "arrays.h"
#include "errors.h"
#include "path.h"
#include "vitrum/cube.h"

namespace vitrum::python {
namespace {

SampleType sample_type(nb::dlpack::dtype const& type) {
    if (type == nb::dtype<std::uint8_t>()) return SampleType::u8;
    if (type == nb::dtype<std::uint16_t>()) return SampleType::u16;
    if (type == nb::dtype<float>()) return SampleType::f32;
    refuse_type("a picture's samples are uint8, uint16 or float32 (0 ... 1); convert the array first");
}

template <class T>
void fill(Image& image, nb::ndarray<nb::ro> const& array, std::int64_t channel_stride) {
    auto const* const from = static_cast<T const*>(array.data());
    std::int64_t const width = image.width(), channels = image.channels();
    for (std::int64_t y = 0; y < image.height(); ++y) {
        T* to = image.row<T>(y);
        T const* pixel = from + y * array.stride(0);
        for (std::int64_t x = 0; x < width; ++x, pixel += array.stride(1)) {
            for (std::int64_t c = 0; c < channels; ++c) *to++ = pixel[c * channel_stride];
            if (image.has_alpha()) image.alpha_row<T>(y)[x] = pixel[channels * channel_stride];
        }
    }
}

template <class T>
nb::object to_array(Image const& image) {
    std::int64_t const width = image.width(), channels = image.channels();
    auto const planes = static_cast<std::size_t>(channels + (image.has_alpha() ? 1 : 0));
    std::size_t const shape[] = {static_cast<std::size_t>(image.height()), static_cast<std::size_t>(width), planes};
    auto memory = std::make_unique<T[]>(shape[0] * shape[1] * planes);
    T* to = memory.get();
    for (std::int64_t y = 0; y < image.height(); ++y) {
        T const* from = image.row<T>(y);
        for (std::int64_t x = 0; x < width; ++x) {
            for (std::int64_t c = 0; c < channels; ++c) *to++ = *from++;
            if (image.has_alpha()) *to++ = image.alpha_row<T>(y)[x];
        }
    }
    T* const data = memory.release();
    nb::capsule const owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, T>(data, 3, shape, owner));
}

using FloatArray = nb::ndarray<nb::numpy, float, nb::ndim<3>>;

void bind_cube(nb::module_& m) {
    nb::class_<Cube>(m, "Cube", "A picture with a spectrum at every pixel.")
        .def_prop_ro(
            "values",
            [](Cube& cube) {
                auto const extent = [](std::int64_t value) { return static_cast<std::size_t>(value); };
                return FloatArray(cube.values().data(),
                                  {extent(cube.height()), extent(cube.width()), extent(cube.bands())});
            },
            nb::rv_policy::reference_internal, "float32 [height, width, bands]; the cube's own memory")
        .def_prop_ro(
            "wavelengths", [](Cube const& cube) { return cube.wavelengths(); }, "of each band, in nm")
        .def(
            "save",
            [](Cube const& cube, Path const& path, std::string const& description) {
                return save_cube(cube, path.value, description);
            },
            "path"_a, "description"_a = "", nb::call_guard<nb::gil_scoped_release>(),
            "Writes .hdr (ENVI), .mat, .npy or .tif, whole or not at all; gives the files written.")
        .def("__repr__", [](Cube const& cube) {
            return "Cube(" + shape_text({cube.height(), cube.width(), cube.bands()}) + ")";
        });
}

}  // namespace

Image image_from_array(nb::handle object) {
    auto const array = import_array(object, "picture");
    SampleType const type = sample_type(array.dtype());
    std::size_t const channels = array.ndim() == 2 ? 1 : array.ndim() == 3 ? array.shape(2) : 0;
    if (channels < 1 || channels > 4) {
        refuse("a picture is [H, W] or [H, W, C] with 1 to 4 channels; this array is " + shape_text(array) +
               (array.ndim() == 4 ? ": call the engine itself for batches [N, C, H, W]" : ""));
    }
    bool const has_alpha = channels == 2 || channels == 4;
    Image image(static_cast<std::int64_t>(array.shape(1)), static_cast<std::int64_t>(array.shape(0)),
                channels < 3 ? 1 : 3, type, has_alpha);
    std::int64_t const channel_stride = array.ndim() == 3 ? array.stride(2) : 0;
    nb::gil_scoped_release const released;
    visit_samples(type, [&]<class T>(T) { fill<T>(image, array, channel_stride); });
    return image;
}

nb::object array_from_image(Image const& image) {
    return visit_samples(image.type(), [&]<class T>(T) { return to_array<T>(image); });
}

void bind_pictures(nb::module_& m) {
    bind_cube(m);
    nb::class_<Image>(m, "Image", "A picture in memory, with its file's metadata.")
        .def_static("from_array", image_from_array, "array"_a.none(),
                    nb::sig("def from_array(array: typing.Any) -> Image"), "From [H, W] or [H, W, C].")
        .def_static(
            "load", [](Path const& path) { return load_image(path.value); }, "path"_a,
            nb::call_guard<nb::gil_scoped_release>())
        .def("array", array_from_image, nb::sig("def array(self) -> numpy.typing.NDArray[typing.Any]"),
             "A copy of the samples, [H, W, C], alpha last.")
        .def(
            "save", [](Image const& image, Path const& path) { save_image(image, path.value); }, "path"_a,
            nb::call_guard<nb::gil_scoped_release>(), "Whole or not at all, metadata included.");
}

}  // namespace vitrum::python
