// Package container times the lifecycles of containers through the API of a
// Docker engine, and holds what that takes: the connection to an engine, an
// image made from a program without any registry, and the probe program that
// such an image is made of by default.
//
// [Connect] finds an engine or says why there is none. An [Engine] is what the
// rest of the module may ask of it, in this package's own words: exactly one
// file imports the Docker client, so that exchanging the client is a change of
// that file.
//
// # One lifecycle
//
// [Lifecycle] times a container from its creation to its removal. It is ready when the
// [Ready] of its [Spec] says so: a line of its output, a port, a command or the image's
// health check; a [Preset] knows that of a service, and a [Pull] gets its image, never
// unasked. [Where] divides the phases by the engine's events and by what an
// [EngineWatch] saw its threads do; a [Control] is the same program without a container.
//
// Nothing here decides how often to measure or what a number means; that is for
// perf/experiment and perf/stats. Processes on this machine are measured by
// perf/measure.
//
// # What a run leaves behind
//
// Nothing. Everything bears its [Owner]; [OpenRun] removes what dead owners of this
// host have left, and starts a [Janitor], which outlives the run if that is killed.
// A [Recorder] follows the containers that a subject makes, and tells them from those
// of others by the rule of [Attribution].
package container
