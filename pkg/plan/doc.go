// SPDX-License-Identifier: Apache-2.0

// Package plan is what `run` will do, resolved once: the lab's flags with the
// user's over them, each with its source, parsed by the components' own flag
// sets, and every setting that more than one part of the program acts on as a
// typed value ([Settings]). Nobody else looks up a flag by its name.
//
// Making a [Plan] reads files but writes and starts nothing, so that `check`,
// `flags` and `verify` work on the same Plan as `run`.
package plan
