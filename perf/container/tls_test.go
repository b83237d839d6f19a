package container

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificates writes a folder as DOCKER_CERT_PATH wants it. One self-signed
// certificate is the authority, the server and the client.
func certificates(t *testing.T) (folder string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
	folder = t.TempDir()
	for name, text := range map[string][]byte{"ca.pem": cert, "cert.pem": cert, "key.pem": private} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if pair, err = tls.X509KeyPair(cert, private); err != nil {
		t.Fatal(err)
	}
	return folder, pair
}

// TestConnectTLS connects to a server that demands the client's certificate, as
// dockerd --tlsverify does.
func TestConnectTLS(t *testing.T) {
	folder, pair := certificates(t)
	stranger, _ := certificates(t)
	authority, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	s := httptest.NewUnstartedServer(answering("1.44", `{"Version":"25.0","Os":"linux","Arch":"amd64"}`))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	host := "tcp://" + s.Listener.Addr().String()
	for _, verify := range []bool{true, false} {
		e, err := Connect(t.Context(), Settings{Host: host, TLSVerify: verify, CertPath: folder})
		if err != nil {
			t.Fatalf("verify = %v: %v", verify, err)
		}
		if i := e.Info(); i.API != "1.44" || i.Local {
			t.Errorf("verify = %v: %+v", verify, i)
		}
		e.Close()
	}
	if _, err := Connect(t.Context(), Settings{Host: host, TLSVerify: true, CertPath: stranger}); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("a server of another authority: %v", err)
	}
	if _, err := Connect(t.Context(), Settings{Host: host, CertPath: stranger}); err == nil || !strings.Contains(err.Error(), "does not accept this client's certificate") {
		t.Errorf("a certificate that the server does not accept: %v", err)
	}
}
