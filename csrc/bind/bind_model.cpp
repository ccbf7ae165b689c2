// Model, Session: checks, GIL, arrays.
#include <algorithm>
#include <atomic>

#include "bind/arrays.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/parallel.h"
#include "model/model.h"

namespace cutaway {
namespace {

using Ids = py::array_t<int32_t, py::array::c_style>;

// A KV cache with its model. One call at a time.
struct Session {
  std::shared_ptr<Model> model;
  KvCache cache;
  std::atomic<bool> busy{false};
  Session(std::shared_ptr<Model> m, KvCache c) : model(std::move(m)), cache(std::move(c)) {}
};

class Hold {  // marks sessions as in use for the length of a call
 public:
  void take(Session& s) {
    if (std::find(held_.begin(), held_.end(), &s) != held_.end())
      throw ArgumentError("a session is in the list twice; fork it to have two continuations of one text");
    if (s.busy.exchange(true))
      throw ArgumentError("the session is in use by another call; fork it, or wait for that call to return");
    held_.push_back(&s);
  }
  ~Hold() {
    for (Session* s : held_) s->busy = false;
  }

 private:
  std::vector<Session*> held_;
};

LogitRows logit_rows(const std::string& name) {
  if (name == "none") return LogitRows::none;
  if (name == "last") return LogitRows::last;
  return LogitRows::all;
}

void check_signals() {
  py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

py::tuple forward(const std::shared_ptr<Model>& model, const std::vector<std::shared_ptr<Session>>& sessions,
                  const std::vector<Ids>& ids, const std::string& logits, const std::vector<int>& taps,
                  const std::map<int, py::object>& hooks, const std::vector<std::vector<int64_t>>& positions,
                  const std::optional<py::list>& profile) {
  Request request;
  std::vector<PhaseProfile> phases;
  if (profile) request.profile = &phases;
  Hold hold;
  std::vector<std::unique_ptr<KvCache>> own;
  for (size_t i = 0; i < ids.size(); ++i) {
    Sequence s;
    if (i < sessions.size()) {
      if (sessions[i]->model != model) throw ArgumentError("the session belongs to another model");
      hold.take(*sessions[i]);
      s.cache = &sessions[i]->cache;
    } else {
      own.push_back(std::make_unique<KvCache>(model->new_cache()));
      s.cache = own.back().get();
    }
    s.ids.assign(ids[i].data(), ids[i].data() + ids[i].size());
    if (i < positions.size()) s.positions = positions[i];
    request.sequences.push_back(std::move(s));
  }
  request.logits = logit_rows(logits);
  request.taps.assign(taps.begin(), taps.end());
  for (const auto& h : hooks) request.hooks.insert(h.first);
  request.check = check_signals;
  request.on_hook = [&](const Hooked& shown) {
    py::gil_scoped_acquire gil;
    py::array a = view(shown.buffer, shown.data, shown.shape, true);
    hooks.at(shown.value)(a, shown.sequence);  // edits in place
    freeze(a);
    return a.ref_count() > 1;  // kept, itself or as the base of a view, which stays writable
  };
  Output out;
  {
    py::gil_scoped_release release;
    out = model->forward(request);
  }
  for (size_t i = 0; i < phases.size(); ++i) {
    const Phase& phase = *model->plan().phases()[i];
    py::list(*profile).append(py::make_tuple(phase.label, phase.layer, phases[i].seconds,
                                             phases[i].cost.flops, phases[i].cost.bytes));
  }
  py::list rows;
  for (size_t i = 0; i < ids.size(); ++i)
    rows.append(out.logits_buffer ? py::object(view(out.logits_buffer, out.logits[i],
                                                    {out.logit_rows[i], model->config().d_vocab}))
                                  : py::object(py::none()));
  py::list traced;
  for (const Traced& t : out.traced)
    traced.append(py::make_tuple(t.value, t.sequence, view(t.buffer, t.data, t.shape)));
  return py::make_tuple(rows, traced);
}

py::dict config_of(const Model& m) {
  const Config& c = m.config();
  py::dict d;
  d["arch"] = c.arch;
  d["n_layers"] = c.n_layers;
  d["d_model"] = c.d_model;
  d["n_heads"] = c.n_heads;
  d["n_kv_heads"] = c.n_kv_heads;
  d["d_head"] = c.d_head;
  d["d_mlp"] = c.d_mlp;
  d["d_vocab"] = c.d_vocab;
  d["n_ctx"] = m.n_ctx();
  d["eps"] = c.eps;
  d["activation"] = c.activation == Activation::silu ? "silu" : "gelu_tanh";
  d["attn_scale"] = c.attn_scale;
  d["attn_soft_cap"] = c.attn_soft_cap ? py::object(py::float_(c.attn_soft_cap)) : py::object(py::none());
  d["final_soft_cap"] = c.final_soft_cap ? py::object(py::float_(c.final_soft_cap)) : py::object(py::none());
  d["embed_scale"] = c.embed_scale;
  d["tied_embeddings"] = c.tied_embeddings;
  py::list rope_base, rope_scaling, window;
  for (const LayerConfig& l : c.layers) {
    rope_base.append(c.ropes[l.rope].base);
    rope_scaling.append(c.ropes[l.rope].scaling);
    window.append(l.window ? py::object(py::int_(l.window)) : py::object(py::none()));
  }
  d["rope_base"] = rope_base;
  d["rope_scaling"] = rope_scaling;
  d["sliding_window"] = window;
  return d;
}

py::list values_of(const Model& m) {
  py::list out;
  const auto& values = m.plan().values();
  for (size_t i = 0; i < values.size(); ++i) {
    const Value& v = values[i];
    if (v.name.empty()) continue;
    const char* kind = v.kind == ValueKind::rows      ? "rows"
                       : v.kind == ValueKind::pattern ? "pattern"
                       : v.kind == ValueKind::logits  ? "logits"
                                                      : "derived";
    py::list dims;
    for (const auto& d : v.dims) dims.append(py::make_tuple(d.first, d.second));
    out.append(py::make_tuple(static_cast<int>(i), v.name, kind, dims, v.equation, v.replaceable));
  }
  return out;
}

py::list tensors_of(const Model& m) {
  py::list out;
  for (const TensorInfo& t : m.tensors()) out.append(py::make_tuple(t.name, t.type, t.shape, t.bytes));
  return out;
}

// Memory for something computed when it is asked for.
std::shared_ptr<Buffer> new_floats(size_t n, const std::string& what) {
  if (n * 4 > (size_t{64} << 20))
    if (const uint64_t have = room_for(n * 4); n * 4 > have)
      throw MemoryLimitError(
          text("{} as float32 needs {} MiB, {} MiB are free", what, n * 4 >> 20, have >> 20));
  return std::make_shared<Buffer>(n * 4);
}

py::array weight_of(Model& m, const std::string& name) {
  for (const NamedWeight& w : m.weights().named) {
    if (w.name != name) continue;
    const std::vector<int64_t> shape = w.shape();
    size_t n = 1;
    for (int64_t d : shape) n *= d;
    auto buffer = new_floats(n, name);
    {
      py::gil_scoped_release release;
      decode_weight(w, m.kernels(), buffer->floats());
    }
    return view(buffer, buffer->floats(), shape);
  }
  throw py::key_error(name);
}

}  // namespace

void bind_model(py::module_& m) {
  using namespace py::literals;
  m.def("isas", &isas, "Instruction sets this machine offers, slowest first: list of str.");
  m.def("default_isa", &default_isa);
  m.def("default_threads", &default_threads);
  m.def(
      "available_bytes", [] { return available_bytes(); },
      "Memory that can be had without swapping, in bytes.");
  m.def(
      "measure_limits",
      [](const std::string& isa, int threads, int64_t bytes) {
        py::gil_scoped_release release;
        const Limits l = measure_limits(kernels_for(isa), threads, bytes);
        return std::make_tuple(l.f32_flops, l.int8_flops, l.bandwidth);
      },
      "isa"_a, "threads"_a, "bytes"_a,
      "(float32 FLOP/s, int8 FLOP/s, bytes/s of reading a buffer of `bytes`), the best that was seen.");
  m.def("in_forked_child", &in_forked_child);
  m.def(
      "report_pack",
      [](const py::bytes& path) {
        const PackReport report = report_pack(path, kernels_for("scalar"));
        return py::make_tuple(py::bytes(report.model), report.state);
      },
      "path"_a, "What a pack file is: (path of the model as bytes, state).");
  m.def(
      "remove_pack", [](const py::bytes& path) { return remove_pack(path); }, "path"_a,
      "False when it is being written, or cannot be removed.");
  m.def("check_length", &check_length, "what"_a, "past"_a, "n"_a, "n_ctx"_a, "n_ctx_of_file"_a,
        "Raises ArgumentError unless n new tokens have room behind `past` ones.");

  py::class_<Session, std::shared_ptr<Session>>(m, "Session")
      .def("__len__", [](const Session& s) { return s.cache.length(); })
      .def("fork",
           [](Session& s) {
             Hold hold;
             hold.take(s);
             return std::make_shared<Session>(s.model, s.cache.fork());
           })
      .def(
          "truncate",
          [](Session& s, int64_t n) {
            Hold hold;
            hold.take(s);
            if (n < 0 || n > s.cache.length())
              throw ArgumentError(
                  text("truncate: {} positions asked for, expected 0 to {}", n, s.cache.length()));
            s.cache.truncate(n);
          },
          "n"_a)
      .def(
          "kv",
          [](Session& s, int64_t layer) {
            Hold hold;
            hold.take(s);
            const KvShape& shape = s.cache.shape();
            if (layer < 0 || layer >= shape.n_layers)
              throw ArgumentError(
                  text("kv: layer {} asked for, expected 0 to {}", layer, shape.n_layers - 1));
            const std::vector<int64_t> dims = {s.cache.length(), shape.n_kv_heads, shape.d_head};
            const size_t n = static_cast<size_t>(dims[0] * dims[1] * dims[2]);
            std::shared_ptr<Buffer> k, v;
            {
              py::gil_scoped_release release;
              k = new_floats(n, "kv");
              v = new_floats(n, "kv");
              s.cache.read(layer, s.model->kernels(), k->floats(), v->floats());
            }
            return py::make_tuple(view(k, k->floats(), dims), view(v, v->floats(), dims));
          },
          "layer"_a, "What is stored, widened to float32: (k, v), each [length, n_kv_heads, d_head].")
      .def_property_readonly("kv_dtype", [](const Session& s) { return kv_dtype(s.cache.shape().type); });

  py::class_<Model, std::shared_ptr<Model>>(m, "Model")
      .def(
          py::init([](const std::string& path, int threads, const std::string& compute, int64_t n_ctx,
                      const std::string& isa, const py::bytes& pack_folder, uint64_t pack_least,
                      double pack_settled, const std::string& unembed_type, const std::string& kv_type) {
            const LoadOptions options = {
                threads, compute, n_ctx, isa, unembed_type, kv_type, {pack_folder, pack_least, pack_settled}};
            py::gil_scoped_release release;
            return Model::load(path, options);
          }),
          "path"_a, "threads"_a, "compute"_a, "n_ctx"_a, "isa"_a, "pack_folder"_a = py::bytes(),
          "pack_least"_a = PackOptions().least, "pack_settled"_a = PackOptions().settled,
          "unembed_type"_a = "", "kv_type"_a = "")
      .def("session",
           [](const std::shared_ptr<Model>& m) { return std::make_shared<Session>(m, m->new_cache()); })
      .def("forward", &forward, "sessions"_a, "ids"_a, "logits"_a, "taps"_a, "hooks"_a, "positions"_a,
           "profile"_a = py::none(),
           "profile: a list that gets (label, layer or -1, seconds, flops, bytes) per phase of the plan.")
      .def("config", &config_of)
      .def("values", &values_of)
      .def("tensors", &tensors_of)
      .def("weight", &weight_of, "name"_a)
      .def("weight_names",
           [](const Model& m) {
             py::list out;
             for (const NamedWeight& w : m.weights().named)
               out.append(py::make_tuple(w.name, w.shape(), w.tensor, w.matrix ? w.matrix->type : "F32"));
             return out;
           })
      .def(
          "attention_result",
          [](const Model& m, int layer, py::array_t<float, py::array::c_style> z) {
            const Config& c = m.config();
            if (z.ndim() != 3 || z.shape(1) != c.n_heads || z.shape(2) != c.d_head)
              throw ArgumentError(text("z must be [pos, {}, {}]", c.n_heads, c.d_head));
            const std::vector<int64_t> shape = {z.shape(0), c.n_heads, c.d_model};
            auto buffer = new_floats(static_cast<size_t>(shape[0] * shape[1] * shape[2]),
                                     text("blocks.{}.attn.result", layer));
            {
              py::gil_scoped_release release;
              m.attention_result(layer, z.data(), z.shape(0), buffer->floats(), check_signals);
            }
            return view(buffer, buffer->floats(), shape);
          },
          "layer"_a, "z"_a)
      .def(
          "unembed",
          [](Model& m, py::array_t<float, py::array::c_style> resid) {
            const Config& c = m.config();
            if (resid.ndim() != 2 || resid.shape(1) != c.d_model)
              throw ArgumentError(text("resid must be [n, {}]", c.d_model));
            const int64_t n = resid.shape(0);
            std::shared_ptr<Buffer> logits;
            {
              py::gil_scoped_release release;
              logits = m.unembed(resid.data(), n, check_signals);
            }
            return view(logits, logits->floats(), {n, c.d_vocab});
          },
          "resid"_a)
      .def_property_readonly("tokenizer", &Model::tokenizer, "None when the file has none that can be used.")
      .def_property_readonly("why_no_tokenizer", &Model::why_no_tokenizer)
      .def_property_readonly("path", &Model::path)
      .def_property_readonly("n_files", &Model::n_files)
      .def_property_readonly("format", &Model::format)
      .def_property_readonly("compute", &Model::compute)
      .def_property_readonly("isa", [](const Model& m) { return m.kernels().isa; })
      .def_property_readonly("kv_dtype", [](const Model& m) { return kv_dtype(m.kv_shape().type); })
      .def_property_readonly(
          "pack_path", [](const Model& m) { return py::bytes(m.pack_path()); },
          "The pack file that the weights are mapped from, or empty.")
      .def_property_readonly("load_seconds",
                             [](const Model& m) {
                               const LoadSeconds& s = m.load_seconds();
                               return py::dict("header"_a = s.header, "tokenizer"_a = s.tokenizer,
                                               "plan"_a = s.plan, "weights"_a = s.weights);
                             })
      .def_property_readonly("packed_bytes", [](const Model& m) { return m.weights().packed_bytes; })
      .def_property_readonly("n_ctx_of_file", [](const Model& m) { return m.config().n_ctx; })
      .def_readonly("threads", &Model::threads)
      .def_readwrite("chunk", &Model::chunk);
}

}  // namespace cutaway
