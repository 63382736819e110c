// Package view is what pages show of requests, rules and the lines of a Help Page: modules and styles
// that the console of the mock and the report of a run have in common.
//
// [Files] has them by name. They are plain ES modules, and need no build step; preact.js is what they
// are made with, and vendor.json says where it comes from.
package view

import "embed"

// Files are the modules and styles.
//
//go:embed *.js *.css
var Files embed.FS
