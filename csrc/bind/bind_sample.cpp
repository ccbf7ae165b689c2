// cutaway._core.Sampler: argument checks and the GIL. The public class, with its stages, is
// cutaway/sampler.py.
#include "bind/bind.h"
#include "core/error.h"
#include "sample/sampler.h"

namespace cutaway {
namespace {

using namespace pybind11::literals;

// One row of logits, kept alive for the length of a call. float16 is widened, which is exact.
class Row {
 public:
  explicit Row(const py::array& logits) {
    if (logits.ndim() != 1 || logits.size() == 0) {
      std::string shape;
      for (py::ssize_t i = 0; i < logits.ndim(); ++i)
        shape += (i ? ", " : "") + std::to_string(logits.shape(i));
      throw ArgumentError(
          text("logits have shape [{}], expected one row [d_vocab]. Pass one position, such as logits[-1].",
               shape));
    }
    if (logits.size() > INT32_MAX)
      throw ArgumentError("logits have more entries than token ids can number (2^31 - 1).");
    const py::dtype type = logits.dtype();
    if (type.kind() != 'f' || type.itemsize() > 8) {
      throw ArgumentError(
          text("logits have dtype {}, expected float32, float64 or float16.", std::string(py::str(type))));
    }
    if (type.itemsize() == 8) {
      doubles_ = Doubles(logits);
      row_.f64 = doubles_.data();
    } else {
      floats_ = Floats(logits);
      row_.f32 = floats_.data();
    }
    row_.d_vocab = logits.size();
  }
  operator LogitsRow() const { return row_; }

 private:
  using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;
  using Doubles = py::array_t<double, py::array::c_style | py::array::forcecast>;
  Floats floats_;
  Doubles doubles_;
  LogitsRow row_;
};

using Ids = py::array_t<int64_t, py::array::c_style | py::array::forcecast>;
std::span<const int64_t> span_of(const Ids& ids) { return {ids.data(), static_cast<size_t>(ids.size())}; }

int32_t sample(const Sampler& s, const py::array& logits, const Ids& ids, uint64_t step) {
  const Row row(logits);
  const auto seen = span_of(ids);
  const py::gil_scoped_release release;
  return s.sample(row, seen, step);
}

py::tuple draw(const Sampler& s, const py::array& logits, const Ids& ids, uint64_t step) {
  const Row row(logits);
  const auto seen = span_of(ids);
  Choice choice;
  {
    const py::gil_scoped_release release;
    choice = s.draw(row, seen, step);
  }
  return py::make_tuple(choice.token, choice.logprob, choice.sampled_logprob);
}

py::array_t<double> probs(const Sampler& s, const py::array& logits, const Ids& ids) {
  const Row row(logits);
  const auto seen = span_of(ids);
  py::array_t<double> out(logits.size());
  double* data = out.mutable_data();
  {
    const py::gil_scoped_release release;
    s.probs(row, seen, data);
  }
  return out;
}

py::tuple explain(const Sampler& s, const py::array& logits, const Ids& ids, uint64_t step) {
  const Row row(logits);
  const auto seen = span_of(ids);
  Record record;
  {
    const py::gil_scoped_release release;
    s.draw(row, seen, step, &record);
  }
  py::list stages;
  for (const StageRecord& r : record.stages) {
    stages.append(py::dict("name"_a = r.name, "values"_a = py::tuple(py::cast(r.values)),
                           "candidates_in"_a = r.candidates_in, "candidates_out"_a = r.candidates_out,
                           "mass_removed"_a = r.mass_removed, "entropy_before"_a = r.entropy_before,
                           "entropy_after"_a = r.entropy_after, "top_before"_a = r.top_before,
                           "top_after"_a = r.top_after));
  }
  const DrawRecord& d = record.draw;
  return py::make_tuple(
      stages, py::dict("u"_a = d.u, "low"_a = d.low, "high"_a = d.high, "token"_a = d.token,
                       "probability"_a = d.probability, "probability_before"_a = d.probability_before,
                       "rank_before"_a = d.rank_before, "logprob"_a = d.logprob,
                       "sampled_logprob"_a = d.sampled_logprob));
}

std::unique_ptr<Sampler> make(const std::vector<std::pair<std::string, std::vector<double>>>& stages,
                              uint64_t seed) {
  std::vector<Params> params;
  for (const auto& [name, values] : stages) params.push_back({name, values});
  return std::make_unique<Sampler>(params, seed);
}

}  // namespace

void bind_sample(py::module_& m) {
  m.def("stage_names", &stage_names,
        "The names of the sampler stages, in the order of generate()'s keywords.");
  m.def(
      "log_prob",
      [](const py::array& logits, int32_t id) {
        const Row row(logits);
        const py::gil_scoped_release release;
        return log_prob(row, id);
      },
      "logits"_a, "id"_a, "Natural log-probability of an id under softmax(logits), logits [d_vocab].");
  py::class_<Sampler>(m, "Sampler")
      .def(py::init(&make), "stages"_a, "seed"_a)
      .def("sample", &sample, "logits"_a, "ids"_a, "step"_a)
      .def("draw", &draw, "logits"_a, "ids"_a, "step"_a)
      .def("probs", &probs, "logits"_a, "ids"_a)
      .def("explain", &explain, "logits"_a, "ids"_a, "step"_a)
      .def_property_readonly("reads_history", &Sampler::reads_history);
}

}  // namespace cutaway
