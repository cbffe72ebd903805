// SPDX-License-Identifier: Apache-2.0
// upscale MODEL PHOTO OUTPUT: the whole of vitrum's library in one screen.
#include <vitrum/vitrum.h>

#include <cstdio>

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: upscale MODEL PHOTO OUTPUT\n");
        return 2;
    }
    try {
        vitrum::Engine const engine = vitrum::Engine::open(argv[1]);
        std::printf("%s\n", engine.info().variant.c_str());

        vitrum::Session session(engine);
        vitrum::Image const photo = vitrum::load_image(argv[2]);
        vitrum::RestoreReport const result = vitrum::restore(session, photo);
        vitrum::save_image(result.image, argv[3]);

        std::printf("%lld x %lld in %.2f s\n", static_cast<long long>(result.image.width()),
                    static_cast<long long>(result.image.height()), result.compute_seconds);
    } catch (vitrum::Error const& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return static_cast<int>(error.kind());
    }
}
