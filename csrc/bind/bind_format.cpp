// Checkpoint files to Python: what inspect.py shows. Strings become str with the surrogateescape rule of PEP
// 383 (GGUF strings may hold any bytes: s.encode("utf-8", "surrogateescape") gives them back), numeric arrays
// become NumPy arrays of the file's own width, so that a vocabulary of scores is not a million Python
// objects.
#include <map>

#include "bind/bind.h"
#include "core/error.h"
#include "format/checkpoint.h"
#include "format/ggml_types.h"

namespace cutaway {
namespace {

py::object to_str(const std::string& s) {
  PyObject* out = PyUnicode_DecodeUTF8(s.data(), static_cast<Py_ssize_t>(s.size()), "surrogateescape");
  if (!out) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(out);
}

template <class Stored, class Wide>
py::object numbers(const std::vector<Wide>& values) {
  py::array_t<Stored> out(static_cast<py::ssize_t>(values.size()));
  Stored* to = out.mutable_data();
  for (size_t i = 0; i < values.size(); ++i) to[i] = static_cast<Stored>(values[i]);
  return out;
}

struct ToPython {
  const std::string& type;
  std::string element() const { return type.substr(6, type.size() - 7); }  // of "array[u32]"

  py::object operator()(bool v) const {
    if (type == "null") return py::none();
    if (type == "object") return py::dict();
    return py::bool_(v);
  }
  py::object operator()(int64_t v) const { return py::int_(v); }
  py::object operator()(uint64_t v) const { return py::int_(v); }
  py::object operator()(double v) const { return py::float_(v); }
  py::object operator()(const std::string& v) const {
    if (type == "json") return py::module_::import("json").attr("loads")(to_str(v));
    return to_str(v);
  }
  py::object operator()(const std::vector<bool>& v) const { return numbers<bool>(v); }
  py::object operator()(const std::vector<int64_t>& v) const {
    const std::string e = element();
    if (e == "i8") return numbers<int8_t>(v);
    if (e == "i16") return numbers<int16_t>(v);
    if (e == "i32") return numbers<int32_t>(v);
    return numbers<int64_t>(v);
  }
  py::object operator()(const std::vector<uint64_t>& v) const {
    const std::string e = element();
    if (e == "u8") return numbers<uint8_t>(v);
    if (e == "u16") return numbers<uint16_t>(v);
    if (e == "u32") return numbers<uint32_t>(v);
    return numbers<uint64_t>(v);
  }
  py::object operator()(const std::vector<double>& v) const {
    return element() == "f32" ? numbers<float>(v) : numbers<double>(v);
  }
  py::object operator()(const std::vector<std::string>& v) const {
    py::list out(v.size());
    for (size_t i = 0; i < v.size(); ++i) out[i] = to_str(v[i]);
    return out;
  }
};

// (key -> value, key -> type). The two share their key and type objects: a hostile file may have a million
// keys.
py::tuple metadata(const Checkpoint& checkpoint) {
  py::dict values, types;
  std::map<std::string, py::str> type_names;
  for (const auto& [key, value] : checkpoint.metadata.items()) {
    const py::object name = to_str(key);
    values[name] = std::visit(ToPython{value.type}, value.value);
    types[name] = type_names.try_emplace(value.type, value.type).first->second;
  }
  return py::make_tuple(values, types);
}

// [(name, shape, type, offset, bytes, file)]
py::list tensors(const Checkpoint& checkpoint) {
  py::list out(checkpoint.tensors.size());
  for (size_t i = 0; i < checkpoint.tensors.size(); ++i) {
    const TensorInfo& t = checkpoint.tensors[i];
    py::tuple shape(t.shape.size());
    for (size_t d = 0; d < t.shape.size(); ++d) shape[d] = py::int_(t.shape[d]);
    out[i] = py::make_tuple(to_str(t.name), shape, py::str(t.type), t.offset, t.bytes, t.file);
  }
  return out;
}

py::array_t<uint8_t> read(const Checkpoint& checkpoint, const std::string& name) {
  const TensorInfo* tensor = checkpoint.find(name);
  if (!tensor) throw ArgumentError(text("{}: no tensor is called '{}'", checkpoint.path, name));
  py::array_t<uint8_t> out(static_cast<py::ssize_t>(tensor->bytes));
  checkpoint.read(*tensor, 0, tensor->bytes, out.mutable_data());
  return out;
}

Checkpoint open(const py::object& path) {
  const std::string bytes = py::bytes(py::module_::import("os").attr("fsencode")(path));
  py::gil_scoped_release unlocked;
  return open_checkpoint(bytes);
}

}  // namespace

void bind_format(py::module_& m) {
  py::class_<Checkpoint>(m, "Checkpoint",
                         "An open model file: checked directory, metadata, raw tensor bytes.")
      .def(py::init(&open), py::arg("path"))
      .def_property_readonly("path", [](const Checkpoint& c) { return to_str(c.path); })
      .def_property_readonly("format", [](const Checkpoint& c) { return c.format; })
      .def_property_readonly("version", [](const Checkpoint& c) { return c.version; })
      .def_property_readonly("files",
                             [](const Checkpoint& c) {
                               py::list out;
                               for (const std::string& file : c.files) out.append(to_str(file));
                               return out;
                             })
      .def("metadata", &metadata,
           "(key -> value, key -> the file's own name of its type); a value is a str, int, float, bool, list "
           "of str or "
           "NumPy array.")
      .def("tensors", &tensors, "[(name, shape, type, offset, bytes, index into files)], in file order.")
      .def("read", &read, py::arg("name"), "The bytes of one tensor as stored: uint8 [bytes].")
      .def("close", &Checkpoint::close);
  m.def(
      "ggml_types",
      [] {
        py::dict out;
        for (const GgmlType& t : ggml_types()) out[t.name] = py::make_tuple(t.id, t.elements, t.bytes);
        return out;
      },
      "Every ggml tensor type: name -> (id in the file, elements per block, bytes per block).");
}

}  // namespace cutaway
