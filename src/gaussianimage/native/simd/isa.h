// The instruction set that a source is compiled for. Every header whose code lives in the namespace
// GI_ISA includes this one, directly or not.
#pragma once

#ifndef GI_ISA
#error \
    "GI_ISA is not defined: only a source that CMake compiles for an instruction set includes this"
#endif
