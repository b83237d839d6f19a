package container

import "slices"

// The labels that the Testcontainers libraries set. The first is the same for all
// programs of all users; a session is usually one process that uses a library. The
// library for Rust sets no session unless it was built to reuse containers; clnrm's is
// not.
const (
	labelManagedBy = "org.testcontainers.managed-by"
	labelAnyKind   = "org.testcontainers"
	labelSession   = "org.testcontainers.session-id"
)

// Evidence says by what a container is known to be the run's.
type Evidence string

// The kinds of evidence, strongest first.
const (
	NoEvidence Evidence = ""
	ByLabel    Evidence = "it carries the run's label"
	ByImage    Evidence = "it was made from an image that only the run uses"
	BySession  Evidence = "it is of a session that is the run's"
	Claimed    Evidence = "the run knows that it made it"
)

// Attribution says by what a container shows that a run caused it. The rule is:
//
//  1. Its label names the run's owner. The run's own containers have that, and those
//     of the embedded subject, which is given the labels.
//  2. It was created from an image by the name that [Owner.Image] gave it, and that
//     nobody else has reason to use. A subject that cannot be told to set a label can
//     usually be told which image to use, as clnrm by
//     CLEANROOM_CONTAINERS_DEFAULT_IMAGE and in its test files.
//  3. Its session label is one of Sessions.
//  4. The caller claims it by its id.
//
// That it was created while the subject ran is no evidence, and neither is the label
// that all users of the Testcontainers libraries have in common: somebody else's tests
// may run at the same time, of the same subject even. The engine does not tell which
// process asked for a container. So what fits only by time and that label is reported
// as doubtful, and left alone.
type Attribution struct {
	Owner    Owner
	Sessions []string // values of the label org.testcontainers.session-id
}

// evidence judges a container by its labels and by its image as its creator named it.
func (a Attribution) evidence(labels map[string]string, image string) Evidence {
	mine := a.Owner.String()
	if labels[LabelOwner] == mine {
		return ByLabel
	}
	if o, ok := imageOwner(image); ok && o.String() == mine {
		return ByImage
	}
	if s := labels[labelSession]; s != "" && slices.Contains(a.Sessions, s) {
		return BySession
	}
	return NoEvidence
}

// doubtful reports whether a container without evidence may be the run's for all that
// is known: it is one of a Testcontainers library.
func doubtful(labels map[string]string) bool {
	return labels[labelManagedBy] == "testcontainers" || labels[labelAnyKind] == "true"
}
