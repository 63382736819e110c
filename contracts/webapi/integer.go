package webapi

import (
	"strconv"

	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

var integerConversion = conversion{
	as: readInt32,
	fromToken: func(v *value, _ token, from *tokenValue) bool {
		if from.kind != valueInt {
			return false
		}
		v.present, v.integer = true, int32(from.i)
		return true
	},
	fromText: func(v *value, text []byte, _ *dotnet.TimeZone) dotnet.Result {
		i, result := dotnet.ConvertInt32(text)
		if result == dotnet.OK {
			v.present, v.integer = true, i
		}
		return result
	},
	write: func(out []byte, v *value, _ *dotnet.TimeZone) []byte {
		return strconv.AppendInt(out, int64(v.integer), 10)
	},
}
