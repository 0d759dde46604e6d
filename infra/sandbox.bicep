// The sandbox: bank, mail and the other parties, in the memory of one small process.
// Every path begins with the key, so nobody is answered but the app, which has the key in its URLs.
param location string
param tags object
@minLength(13)
param token string
param pythonVersion string
@secure()
param sandboxKey string
param workspaceId string

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-sandbox-${token}'
  location: location
  tags: tags
  kind: 'linux'
  sku: { name: 'B1', capacity: 1 }
  properties: { reserved: true }
}

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: 'app-sandbox-${token}'
  location: location
  tags: union(tags, { 'azd-service-name': 'sandbox' })
  kind: 'app,linux'
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    siteConfig: {
      linuxFxVersion: 'PYTHON|${pythonVersion}'
      appCommandLine: 'python -m sandbox --host 0.0.0.0 --port 8000'
      // What happened is kept in memory: a process that sleeps forgets it.
      alwaysOn: true
      ftpsState: 'Disabled'
      minTlsVersion: '1.2'
      appSettings: [
        { name: 'SANDBOX_KEY', value: sandboxKey }
        { name: 'SCM_DO_BUILD_DURING_DEPLOYMENT', value: 'true' }
      ]
    }
  }

  resource scmPassword 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  resource ftpPassword 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }
}

// Without the HTTP log: its lines hold the key.
resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'console'
  scope: site
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'AppServiceConsoleLogs', enabled: true }
    ]
  }
}

output hostName string = site.properties.defaultHostName
