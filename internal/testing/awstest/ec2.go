package awstest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// A Rule is one rule of a security group, for all protocols and ports.
type Rule struct {
	Egress bool
	Peer   string // a CIDR block or a security group's id
}

// EC2 is a fake of Amazon EC2's security groups with its Query API.
type EC2 struct {
	service
	URL string

	account string
	rules   map[string][]Rule // by security group; guarded by service.mu
}

// StartEC2 returns a fake account without security groups that runs until the test ends.
func StartEC2(t testing.TB, account string) *EC2 {
	e := &EC2{account: account, rules: map[string][]Rule{}}
	e.URL = start(t, e.serve)
	return e
}

// PutSecurityGroup creates a group with these rules, or replaces its rules.
func (e *EC2) PutSecurityGroup(id string, rules ...Rule) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules[id] = rules
}

// Rules returns the remaining rules of a group.
func (e *EC2) Rules(id string) []Rule {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.rules[id])
}

func (e *EC2) serve(w http.ResponseWriter, r *http.Request) {
	if !signed(r, "ec2") {
		ec2Error(w, http.StatusUnauthorized, "AuthFailure",
			"AWS was not able to validate the provided access credentials")
		return
	}
	if err := r.ParseForm(); err != nil {
		ec2Error(w, http.StatusBadRequest, "MalformedQueryString", err.Error())
		return
	}
	action, group := r.PostForm.Get("Action"), r.PostForm.Get("GroupId")
	if action != "RevokeSecurityGroupIngress" && action != "RevokeSecurityGroupEgress" {
		ec2Error(w, http.StatusBadRequest, "InvalidAction",
			"The action "+action+" is not valid for this web service.")
		return
	}
	fault := e.record(r, Call{Action: "ec2:" + action, Resource: group})
	if fault.Status != 0 {
		ec2Error(w, fault.Status, fault.Code, "")
		return
	}
	rule, err := e.rule(r, action == "RevokeSecurityGroupEgress")
	if err != nil {
		ec2Error(w, http.StatusBadRequest, "InvalidParameterValue", err.Error())
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	rules, ok := e.rules[group]
	if !ok {
		ec2Error(w, http.StatusBadRequest, "InvalidGroup.NotFound",
			"The security group '"+group+"' does not exist")
		return
	}
	at := slices.Index(rules, rule)
	if at < 0 {
		ec2Error(w, http.StatusBadRequest, "InvalidPermission.NotFound",
			"The specified rule does not exist in this security group.")
		return
	}
	e.rules[group] = slices.Delete(slices.Clone(rules), at, at+1)
	writeXML(w, http.StatusOK, struct {
		XMLName   xml.Name
		RequestID string `xml:"requestId"`
		Return    bool   `xml:"return"`
	}{
		XMLName: xml.Name{
			Space: "http://ec2.amazonaws.com/doc/2016-11-15/", Local: action + "Response",
		},
		RequestID: requestID,
		Return:    true,
	})
}

// rule returns the single permission of a request.
func (e *EC2) rule(r *http.Request, egress bool) (Rule, error) {
	form := r.PostForm
	if protocol := form.Get("IpPermissions.1.IpProtocol"); protocol != "-1" {
		return Rule{}, fmt.Errorf("protocol %q, want -1", protocol)
	}
	peers := []string{
		form.Get("IpPermissions.1.IpRanges.1.CidrIp"),
		form.Get("IpPermissions.1.Ipv6Ranges.1.CidrIpv6"),
	}
	if group := form.Get("IpPermissions.1.Groups.1.GroupId"); group != "" {
		if owner := form.Get("IpPermissions.1.Groups.1.UserId"); owner != e.account {
			return Rule{}, fmt.Errorf("the group's account is %q, want %s", owner, e.account)
		}
		peers = append(peers, group)
	}
	peers = slices.DeleteFunc(peers, func(peer string) bool { return peer == "" })
	if len(peers) != 1 {
		return Rule{}, fmt.Errorf("peers %q, want one", peers)
	}
	return Rule{Egress: egress, Peer: peers[0]}, nil
}

func ec2Error(w http.ResponseWriter, status int, code, message string) {
	writeXML(w, status, struct {
		XMLName   xml.Name `xml:"Response"`
		Code      string   `xml:"Errors>Error>Code"`
		Message   string   `xml:"Errors>Error>Message"`
		RequestID string   `xml:"RequestID"`
	}{Code: code, Message: message, RequestID: requestID})
}
