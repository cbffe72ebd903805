// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Marks what libvitrum.so exports; everything else stays hidden.
#define VITRUM_API __attribute__((visibility("default")))
