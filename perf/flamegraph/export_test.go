package flamegraph

// Fit is fit, for the test that the viewer agrees with it.
var Fit = fit
