// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vitrum/engine.h"
#include "vitrum/error.h"
#include "vitrum/image.h"
#include "vitrum/measure.h"
#include "vitrum/model.h"
#include "vitrum/restore.h"
#include "vitrum/segment.h"
#include "vitrum/spectral.h"
#include "vitrum/version.h"
