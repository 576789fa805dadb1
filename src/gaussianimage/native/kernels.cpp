// The kernels; compiled once for each instruction set, into the namespace GI_ISA.
#include "kernels.h"

#define GI_STRINGIZE_(x) #x
#define GI_STRINGIZE(x) GI_STRINGIZE_(x)

namespace gi::GI_ISA {

const char* name() { return GI_STRINGIZE(GI_ISA); }

}  // namespace gi::GI_ISA
