package dotnet

import (
	"math/big"
	"math/bits"
	"strconv"
)

// Decimal is System.Decimal: a coefficient of 96 bits, a scale from 0 to 28
// and a sign. Trailing zeros are kept: 5.00 stays 5.00.
type Decimal struct {
	lo    uint64
	hi    uint32
	scale uint8
	neg   bool
}

const maxScale = 28

// DecimalOf is a whole number as a decimal.
func DecimalOf(i int64) Decimal {
	if i < 0 {
		return Decimal{lo: uint64(-i), neg: true}
	}
	return Decimal{lo: uint64(i)}
}

// Append writes the number in the invariant culture.
func (d Decimal) Append(out []byte) []byte {
	var buf [40]byte
	digits := d.digits(buf[:0])
	if d.neg && (d.lo != 0 || d.hi != 0) {
		out = append(out, '-')
	}
	point := len(digits) - int(d.scale)
	if point <= 0 {
		out = append(out, '0')
		if d.scale > 0 {
			out = append(out, '.')
		}
		for ; point < 0; point++ {
			out = append(out, '0')
		}
		return append(out, digits...)
	}
	out = append(out, digits[:point]...)
	if d.scale > 0 {
		out = append(append(out, '.'), digits[point:]...)
	}
	return out
}

// AppendJSON writes it as Json.NET does, which adds ".0" to a whole number.
func (d Decimal) AppendJSON(out []byte) []byte {
	out = d.Append(out)
	if d.scale == 0 {
		out = append(out, ".0"...)
	}
	return out
}

func (d Decimal) digits(buf []byte) []byte {
	if d.hi == 0 {
		if d.lo == 0 {
			return buf
		}
		return strconv.AppendUint(buf, d.lo, 10)
	}
	// hi·2^64+lo = (q·10^19)+r
	const ten19 = 10_000_000_000_000_000_000
	q, r := bits.Div64(uint64(d.hi), d.lo, ten19)
	buf = strconv.AppendUint(buf, q, 10)
	at := len(buf)
	buf = append(buf, "0000000000000000000"...)
	var low [20]byte
	tail := strconv.AppendUint(low[:0], r, 10)
	copy(buf[at+19-len(tail):], tail)
	return buf
}

var (
	ten        = big.NewInt(10)
	maxDecimal = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 96), big.NewInt(1))
)

func powerOfTen(n int) *big.Int {
	return new(big.Int).Exp(ten, big.NewInt(int64(n)), nil)
}

// decimalFrom makes a decimal of n·10^-scale, rounding half to even where 96
// bits or the scale do not hold it. false means it is too large.
func decimalFrom(n *big.Int, scale int, neg bool) (Decimal, bool) {
	for scale > maxScale || scale > 0 && n.Cmp(maxDecimal) > 0 {
		// Drop as many digits at once as needed, so that it is rounded once.
		drop := max(scale-maxScale, 1)
		q, r := new(big.Int).QuoRem(n, powerOfTen(drop), new(big.Int))
		if q.Cmp(maxDecimal) > 0 && scale-drop > 0 {
			drop = min(scale, drop+len(q.String())-len(maxDecimal.String())+1)
			q, r = q.QuoRem(n, powerOfTen(drop), r)
			// One digit fewer may fit.
			if q2, r2 := new(big.Int).QuoRem(n, powerOfTen(drop-1), new(big.Int)); q2.Cmp(maxDecimal) <= 0 &&
				scale-drop+1 <= maxScale {
				q, r, drop = q2, r2, drop-1
			}
		}
		Half := new(big.Int).Rsh(powerOfTen(drop), 1)
		if c := r.Cmp(Half); c > 0 || c == 0 && q.Bit(0) == 1 {
			q.Add(q, big.NewInt(1))
		}
		n, scale = q, scale-drop
	}
	if n.Cmp(maxDecimal) > 0 {
		return Decimal{}, false
	}
	lo := new(big.Int).And(n, new(big.Int).SetUint64(^uint64(0))).Uint64()
	hi := new(big.Int).Rsh(n, 64).Uint64()
	return Decimal{lo: lo, hi: uint32(hi), scale: uint8(scale), neg: neg}, true
}

// ParseDecimal is decimal.TryParse in the invariant culture.
func ParseDecimal(s []byte, style NumberStyle) (Decimal, Result) {
	var buf [maxNumberDigits]byte
	n, ok := parseNumberText(s, style, buf[:0])
	if !ok {
		return Decimal{}, Invalid
	}
	if len(n.digits) == 0 {
		return Decimal{scale: uint8(min(max(-n.scale, 0), maxScale)), neg: n.negative}, OK
	}
	if n.scale > 29 {
		return Decimal{}, Overflow
	}
	coefficient, _ := new(big.Int).SetString(string(n.digits), 10)
	scale := len(n.digits) - n.scale
	if scale < 0 {
		coefficient.Mul(coefficient, powerOfTen(-scale))
		scale = 0
	}
	if n.scale < -maxScale {
		return Decimal{scale: maxScale, neg: n.negative}, OK
	}
	d, ok := decimalFrom(coefficient, scale, n.negative)
	if !ok {
		return Decimal{}, Overflow
	}
	return d, OK
}

// ParseDecimalLiteral is Json.NET's own reading of a decimal literal, which is
// stricter in form than decimal.TryParse and takes an exponent. threw reports
// that its arithmetic ended in an OverflowException of its own.
func ParseDecimalLiteral(b []byte) (d Decimal, result Result, threw bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 {
		return d, Invalid, false
	}
	const (
		highest19 = 7922816251426433759 // the largest decimal is 79228162514264337593543950335
		next9     = 354395033
		last      = '5'
	)
	var (
		high, low            uint64 // the first 19 digits and up to 10 more
		digits, dropped      int
		firstDropped         byte
		point                = -1 // index after the point
		pointEnd             = len(b)
		exponent             int
		only28, only28Known  bool
		exponentSeen, digit0 bool
	)
	digit0 = b[0] == '0' && len(b) > 1
	if digit0 && b[1] != '.' && b[1]|0x20 != 'e' {
		return d, Invalid, false
	}
	i := 0
	if digit0 {
		i = 1 // a zero before the point is not a digit of the mantissa
	}
	for ; i < len(b) && !exponentSeen; i++ {
		c := b[i]
		switch {
		case c == '.':
			if i == 0 || i+1 == len(b) || point >= 0 {
				return d, Invalid, false
			}
			point = i + 1
		case c|0x20 == 'e':
			if i == 0 || i == point || i+1 == len(b) {
				return d, Invalid, false
			}
			pointEnd, exponentSeen = i, true
			at, negative := i+1, false
			if b[at] == '-' || b[at] == '+' {
				negative = b[at] == '-'
				at++
			}
			for ; at < len(b); at++ {
				if b[at] < '0' || b[at] > '9' {
					return d, Invalid, false
				}
				if next := int32(exponent)*10 + int32(b[at]-'0'); int32(exponent) < next {
					exponent = int(next)
				}
			}
			if negative {
				exponent = -exponent
			}
		case c < '0' || c > '9':
			return d, Invalid, false
		default:
			if digits == 28 && !only28Known {
				only28Known = true
				only28 = high > highest19 || high == highest19 && (low > next9 || low == next9 && c > last)
			}
			if digits < 28 || digits == 28 && !only28 {
				if digits < 19 {
					high = high*10 + uint64(c-'0')
				} else {
					low = low*10 + uint64(c-'0')
				}
				digits++
				continue
			}
			if firstDropped == 0 {
				firstDropped = c
			}
			dropped++
		}
	}
	exponent += dropped
	if point >= 0 {
		exponent -= pointEnd - point
	}
	if digits <= 19 && exponent <= 0 && exponent >= -maxScale && firstDropped == 0 && digits+exponent+maxScale > 0 {
		return Decimal{lo: high, scale: uint8(-exponent), neg: neg}, OK, false
	}
	n := new(big.Int).SetUint64(high)
	if digits > 19 {
		n.Mul(n, powerOfTen(digits-19))
		n.Add(n, new(big.Int).SetUint64(low))
	}
	scale := 0
	switch {
	case exponent > 0:
		if digits+exponent > 29 {
			return d, Overflow, false
		}
		if digits+exponent == 29 {
			leading := new(big.Int).Set(n)
			if exponent > 1 {
				leading.Mul(leading, powerOfTen(exponent-1))
			}
			highest28 := new(big.Int).Quo(maxDecimal, ten)
			cmp := leading.Cmp(highest28)
			if exponent > 1 && cmp > 0 || exponent == 1 && cmp == 0 && firstDropped > last {
				return d, Overflow, false
			}
		}
		n.Mul(n, powerOfTen(exponent))
	default:
		if firstDropped >= '5' && exponent >= -maxScale {
			n.Add(n, big.NewInt(1))
		}
		if exponent < 0 {
			if digits+exponent+maxScale <= 0 {
				return Decimal{neg: neg}, OK, false
			}
			scale = -exponent
			if exponent < -maxScale {
				// It is divided by 1e28 first, which leaves no zeros at the end.
				zero := new(big.Int)
				for rest := new(big.Int); n.Sign() != 0 && scale > -exponent-maxScale; scale-- {
					q, r := new(big.Int).QuoRem(n, ten, rest)
					if r.Cmp(zero) != 0 {
						break
					}
					n = q
				}
			}
		}
	}
	d, ok := decimalFrom(n, scale, neg)
	return d, OK, !ok
}
