#include <cordage/base/exceptions.hpp>

namespace cordage::detail {

void library_has_exceptions(std::bool_constant<config::exceptions>) {}

}  // namespace cordage::detail
