package webapi

import (
	"math/big"
	"strconv"

	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// This file is Json.NET's tokenizer (JsonTextReader of Newtonsoft.Json 13) as
// its responses show it. Its dialect is wider than JSON, and what it does after an
// error decides which further errors a response lists, so states, positions and
// the order of their changes follow it closely. jsonbind.go drives it.

type token uint8

const (
	tokenNone token = iota
	tokenStartObject
	tokenStartArray
	tokenStartConstructor
	tokenPropertyName
	tokenComment
	tokenInteger
	tokenFloat
	tokenString
	tokenBoolean
	tokenNull
	tokenUndefined
	tokenEndObject
	tokenEndArray
	tokenEndConstructor
	tokenDate
)

var tokenNames = [...]string{
	"None", "StartObject", "StartArray", "StartConstructor", "PropertyName", "Comment", "Integer",
	"Float", "String", "Boolean", "Null", "Undefined", "EndObject", "EndArray", "EndConstructor", "Date",
}

func (t token) String() string { return tokenNames[t] }

func (t token) starts() bool {
	return t == tokenStartObject || t == tokenStartArray || t == tokenStartConstructor
}

// tokenValue is the value of a token; kind says which part of it holds.
type tokenValue struct {
	kind    valueKind
	text    []byte // string; digits of a big integer
	i       int64
	f       float64
	decimal dotnet.Decimal
	date    dotnet.DateTime
}

type valueKind uint8

const (
	valueNull valueKind = iota
	valueText
	valueInt
	valueBig
	valueFloat
	valueDecimal
	valueBool // i is 0 or 1
	valueDate
)

// describe renders the current value as the framework's messages do.
func (v *tokenValue) describe() string {
	switch v.kind {
	case valueText:
		return `"` + string(v.text) + `"`
	case valueInt:
		return strconv.FormatInt(v.i, 10)
	case valueBig:
		n, _ := new(big.Int).SetString(string(v.text), 10)
		return n.String()
	case valueFloat:
		return dotnet.FormatDouble(v.f)
	case valueDecimal:
		return string(v.decimal.Append(nil))
	case valueBool:
		if v.i == 1 {
			return "True"
		}
		return "False"
	case valueDate:
		return v.date.General()
	}
	return "{null}"
}
