// The one place that names the version of the engine to C++.
namespace cutaway {
const char* version() { return "0.1.0"; }
}  // namespace cutaway
