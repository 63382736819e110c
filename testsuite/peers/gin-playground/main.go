// Command gin serves POST api/Calendar/PatientAppointmentPost_v2 with Gin.
package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/binding"
	"github.com/go-playground/validator/v10"
	"github.com/google/uuid"
)

type reason struct {
	ReasonID string `json:"ReasonId" form:"ReasonId" binding:"required,uuid"`
}

// appointment uses pointers for optional fields, so that absent and zero differ.
// Reason is a pointer too: "required" on a string would refuse the empty one,
// and the page gives 0 as the lower bound of the length.
// time_format is for forms; in JSON, time.Time reads RFC 3339 anyway.
type appointment struct {
	EncounterTypeID             *string    `json:"EncounterTypeId" form:"EncounterTypeId" binding:"omitempty,uuid"`
	EncounterTypeModeDurationID *string    `json:"EncounterTypeModeDurationId" form:"EncounterTypeModeDurationId" binding:"omitempty,uuid"`
	ProviderID                  *string    `json:"ProviderId" form:"ProviderId" binding:"omitempty,uuid"`
	UserID                      string     `json:"UserId" form:"UserId" binding:"required,uuid"`
	PatientID                   *string    `json:"PatientId" form:"PatientId" binding:"omitempty,uuid"`
	SpecialityID                *string    `json:"SpecialityId" form:"SpecialityId" binding:"omitempty,uuid"`
	AppointmentOn               time.Time  `json:"AppointmentOn" form:"AppointmentOn" time_format:"2006-01-02T15:04:05Z07:00" binding:"required"`
	SecondaryAppointmentOn      *time.Time `json:"SecondaryAppointmentOn" form:"SecondaryAppointmentOn" time_format:"2006-01-02T15:04:05Z07:00"`
	Reason                      *string    `json:"Reason" form:"Reason" binding:"required,max=250"`
	Note                        *string    `json:"Note" form:"Note" binding:"omitempty,max=1000"`
	ParentID                    *string    `json:"ParentId" form:"ParentId" binding:"omitempty,uuid"`
	ReferredParentID            *string    `json:"ReferredParentId" form:"ReferredParentId" binding:"omitempty,uuid"`
	PaidAmount                  *float64   `json:"PaidAmount" form:"PaidAmount"`
	AccountID                   string     `json:"AccountId" form:"AccountId" binding:"required,uuid"`
	ServiceID                   *string    `json:"ServiceId" form:"ServiceId" binding:"omitempty,uuid"`
	MethodID                    *int       `json:"MethodId" form:"MethodId"`
	IsCustomFormFlow            *string    `json:"IsCustomFormFlow" form:"IsCustomFormFlow"`
	DocIDs                      *string    `json:"DocIds" form:"DocIds"`
	Reasons                     []reason   `json:"Reasons" form:"Reasons" binding:"omitempty,dive"`
}

type fieldError struct {
	Field string `json:"field"`
	Rule  string `json:"rule"`
}

func badRequest(c *gin.Context, err error) {
	var invalid validator.ValidationErrors
	if !errors.As(err, &invalid) {
		c.JSON(http.StatusBadRequest, gin.H{"error": err.Error()})
		return
	}
	fields := make([]fieldError, 0, len(invalid))
	for _, fe := range invalid {
		fields = append(fields, fieldError{Field: fe.Field(), Rule: fe.Tag()})
	}
	c.JSON(http.StatusBadRequest, gin.H{"error": "validation failed", "fields": fields})
}

func postAppointment(c *gin.Context) {
	// Not ShouldBind: it would read text/json as a form, and accept XML and YAML.
	var b binding.Binding
	switch c.ContentType() {
	case "application/json", "text/json":
		b = binding.JSON
	case "application/x-www-form-urlencoded":
		b = binding.FormPost
	default:
		c.JSON(http.StatusUnsupportedMediaType, gin.H{"error": "unsupported media type"})
		return
	}

	var a appointment
	if err := c.ShouldBindWith(&a, b); err != nil {
		badRequest(c, err)
		return
	}
	// The page does not describe the response body: an id and what was booked.
	c.JSON(http.StatusOK, gin.H{
		"Id":            uuid.NewString(),
		"UserId":        a.UserID,
		"AccountId":     a.AccountID,
		"AppointmentOn": a.AppointmentOn,
	})
}

func main() {
	gin.SetMode(gin.ReleaseMode)
	gin.DefaultWriter = os.Stderr

	r := gin.New()
	r.Use(gin.Recovery())
	r.POST("/api/Calendar/PatientAppointmentPost_v2", postAppointment)

	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", ln.Addr())
	log.Fatal(http.Serve(ln, r))
}
