package webapi

import (
	"strconv"

	"github.com/seed47566266/understudy/contracts"
)

// This file has what the framework says about the fields of a form, word for word, for
// responses and for whoever shows the same sentences before the request is sent.

// InvalidRequest is what every rejection of a body begins with, and all that is said of none.
const InvalidRequest = "The request is invalid."

// FieldRequired is what RequiredAttribute says of a field.
func FieldRequired(name string) string { return "The " + name + " field is required." }

// PropertyRequired is what the model binder says of a required field without a value that can
// not be null.
func PropertyRequired(name string) string { return "The " + name + " property is required." }

// ValueRequired is what the model binder says of an empty value of a field that can not be null.
const ValueRequired = "A value is required."

// NotValid is what the model binder says of a value in the wrong format; several values of one
// name have commas between them.
func NotValid(value, name string) string {
	return "The value '" + value + "' is not valid for " + name + "."
}

// ErrorOccurred stands for what an exception says where the server shows no details: a number
// out of range, in a form.
const ErrorOccurred = "An error has occurred."

// WrongLength is what StringLengthAttribute says of a field.
func WrongLength(name string, by *contracts.Constraint) string {
	if by.Min > 0 {
		return "The field " + name + " must be a string with a minimum length of " + strconv.Itoa(by.Min) +
			" and a maximum length of " + strconv.Itoa(by.Max) + "."
	}
	return "The field " + name + " must be a string with a maximum length of " + strconv.Itoa(by.Max) + "."
}
